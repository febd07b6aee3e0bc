"""What a driver that died had begun at its target, ended by the one after it, also where no release is under way."""

import asyncio
import logging

from core.domain.errors import QuarterdeckError
from core.targets.protocol import Recoverable, Target

FIRST_S, EVERY_S, CALL_S = 5.0, 30.0, 30.0
"""A release that goes on moves traffic before the first time, and so ends most of it by itself."""
log = logging.getLogger("quarterdeck")


async def recover(target: Target, endpoint: str, synced: asyncio.Event) -> None:
    """Now and then, until cancelled; what stands in the way is said in the log, once."""
    if not isinstance(target, Recoverable):
        return
    await synced.wait()
    said, rest_s = "", FIRST_S
    while True:
        await asyncio.sleep(rest_s)
        rest_s = EVERY_S
        try:
            async with asyncio.timeout(CALL_S):
                await target.recover()
            said = ""
        except (QuarterdeckError, TimeoutError) as error:
            why = str(error) or f"no answer within {CALL_S:g} s"
            if why != said:
                said = why
                log.warning("%s: what an earlier driver had begun: %s", endpoint, why)
