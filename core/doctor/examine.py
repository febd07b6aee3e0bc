"""Every examination at once, each with an end: one that hangs or breaks is a line of its own and stops no other."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from core.domain.diagnosis import Diagnosis, Examination, fail, warn
from core.domain.errors import QuarterdeckError, Unreachable
from core.system.text import clean_line

MOST = 800
"""So many characters of a line are told: what strangers say of themselves may be long."""
AGAIN = "call again; where it says the same, look there by hand"


async def examine(asked: Sequence[Examination]) -> list[Diagnosis]:
    """What each found, in their order. Takes as long as the slowest, and no longer than the longest may."""
    found = await asyncio.gather(*(_found(one) for one in asked))
    return [line for lines in found for line in lines]


async def _found(one: Examination) -> list[Diagnosis]:
    try:
        async with asyncio.timeout(one.within_s):
            lines = list(await one.look())
    except TimeoutError:
        lines = [warn(f"can't be looked at: no answer within {one.within_s:g} s", AGAIN)]
    except Unreachable as error:
        lines = [warn(f"can't be looked at: {error}", AGAIN)]
    except QuarterdeckError as error:
        lines = [fail(str(error))]
    except Exception as error:
        lines = [warn(f"can't be looked at: {clean_line(f'{type(error).__name__}: {error}', 300)}", AGAIN)]
    return [replace(line, name=one.name, of=one.of, text=clean_line(line.text, MOST)) for line in lines]
