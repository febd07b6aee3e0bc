"""What the router's answers prove: that a table of traffic is in force, and that each of its slots serves.

A proof is an answer of the wanted version with a good status, given through the routes of this very table. Envoy's
own answers prove nothing, except where a table gives traffic to nobody.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import unquote

from core.domain.errors import Unreachable
from core.domain.model import Slot
from core.targets.local.http import Connection, Response
from core.targets.local.routes import ROUTE_HEADER, SLOT_HEADER, Table, pin, probe

PROBES = 20
LINES = 4
PATIENCE_S = 0.05
"""After this long one answer of each slot is enough: replicas may be resting under their CPU limit."""
GIVE_UP_S = 2.0
PAUSES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
"""From one answer that proves nothing to the next question: short at first, since routes change in under 1 ms."""

Where: TypeAlias = tuple[str, int]


class Wrong(Unreachable):
    """Not the routes that were asked for: more answers would not help."""


@dataclass(slots=True)
class _Asked:
    """What one table's answers have shown so far."""

    table: Table
    versions: Mapping[Slot, str]
    good: Counter[Slot] = field(default_factory=Counter)
    why: str = "the router gives no answer"

    @property
    def slots(self) -> set[Slot]:
        """Who must answer; nobody in a table without traffic."""
        return {slot for slot, weight in self.table.weights.items() if weight > 0}

    @property
    def missing(self) -> set[Slot]:
        """Who has given no good answer yet."""
        return (self.slots or {""}) - set(self.good)

    @property
    def enough(self) -> bool:
        """Whether everybody has answered, and often."""
        return not self.missing and self.good.total() >= PROBES

    def take(self, answer: Response) -> bool:
        """Count an answer if it proves anything; raises Wrong for later routes, and for a slot without traffic."""
        number, wanted = _number(answer), self.table.generation
        if number > wanted:
            raise Wrong(f"the router answers by routes number {number}, not {wanted}")
        if number < wanted:
            self.why = f"the router still answers by routes number {number}, not {wanted}"
            return False
        slot = answer.headers.get(SLOT_HEADER, "")
        if slot and slot not in self.slots:
            raise Wrong(f"the router answered from {slot}, which should get no traffic")
        if not self.slots and not slot:
            self.good[""] += 1
            return True
        wrong = _what_is_wrong(answer, slot, self.versions.get(slot, ""))
        if wrong:
            self.why = wrong
            return False
        self.good[slot] += 1
        return True


def _number(answer: Response) -> int:
    text = answer.headers.get(ROUTE_HEADER, "")
    return int(text) if text.isdecimal() else -1


def _what_is_wrong(answer: Response, slot: Slot, version: str) -> str:
    """Why an answer proves nothing of a slot; empty for a good one."""
    told = answer.headers.get("x-model-version")
    if not slot:
        return f"the router answers {answer.status} in nobody's name"
    if told is None and answer.status >= 500:
        return f"no ready replica of {slot} answers ({answer.status})"
    if not 200 <= answer.status < 400:
        return f"{slot} answers {answer.status}"
    if told is None:
        return f"{slot} does not say which version answers"
    if unquote(told) != version:
        return f"{slot} answers as v{unquote(told)}, not as v{version}"
    return ""


async def prove(address: Where, table: Table, versions: Mapping[Slot, str]) -> Mapping[Slot, int]:
    """Ask through the weighted route until answers show this table in force; gives how many each slot gave.

    Only one worker of the router routes, so one answer proves the routes for all requests; every slot with traffic
    must have answered well, and one whose share is small is asked by name. Raises OSError when nobody listens,
    Unreachable with the reason when it was not proved in two seconds.
    """
    asked = _Asked(table, versions)
    begun_s = time.monotonic()
    tasks = {asyncio.create_task(_ask(address, asked, number)) for number in range(LINES)}
    try:
        pending = tasks
        while pending and not asked.enough:
            waited_s = time.monotonic() - begun_s
            if waited_s > GIVE_UP_S or (waited_s > PATIENCE_S and not asked.missing):
                break
            left_s = max(0.001, PATIENCE_S - waited_s) if waited_s < PATIENCE_S else 0.01
            done, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if isinstance(error := task.exception(), OSError | Wrong):
                    raise error
                if error is not None:
                    asked.why = str(error)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if asked.missing:
        raise Unreachable(f"no answer proves it: {asked.why}")
    return asked.good


async def _ask(address: Where, asked: _Asked, number: int) -> None:
    """One line of questions. The last one asks by name for whoever is missing, once the routes are known."""
    async with _line(address) as line:
        secret, bad = asked.table.secret, 0
        while not asked.enough:
            by_name = number == LINES - 1 and asked.good and asked.missing
            named = pin(min(asked.missing), secret) if by_name else {}
            good = asked.take(await line.ask("/health", {**probe(secret), **named}))
            # Who answers well while another does not is asked no faster than that one.
            bad = 0 if good and asked.good.total() < PROBES else bad + 1
            if bad:
                await asyncio.sleep(PAUSES_S[min(bad, len(PAUSES_S)) - 1])


async def reaches(address: Where, slot: Slot, secret: str, version: str, within_s: float = 1.0) -> bool:
    """Does a request that names a slot get a good answer of its version, in time?"""
    with suppress(OSError, TimeoutError, Unreachable):
        async with asyncio.timeout(within_s), _line(address) as line:
            while True:
                answer = await line.ask("/health", {**probe(secret), **pin(slot, secret)})
                if not _what_is_wrong(answer, slot, version):
                    return True
                await asyncio.sleep(PAUSES_S[-2])
    return False


@asynccontextmanager
async def _line(address: Where) -> AsyncIterator[Connection]:
    line = await Connection.open(address)
    try:
        yield line
    finally:
        line.close()
