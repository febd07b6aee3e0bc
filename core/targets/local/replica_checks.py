"""Whether the replicas that serve still answer. One that hangs is ended, and its pool replaces it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from core.domain.errors import Unreachable
from core.domain.model import Level, Noted, ReplicaState, Slot
from core.system.unanswered import AnswerWatch, Suspicion, suspicion
from core.targets.local.http import ask
from core.targets.local.member import Member
from core.targets.local.pool import Pool

ASKS, ASK_S = 3, 1.0
HANGS_S = ASKS * ASK_S
TURN_S = 30.0
"""So long the others of a slot wait for one that is being replaced, unless they surely hang."""


class ReplicaChecks:
    """Of one endpoint; `note` hears what is wrong with it."""

    def __init__(self, note: Callable[[Noted], None]) -> None:
        self._note = note
        self._checked: dict[str, asyncio.Task[None]] = {}
        self._replaced: dict[Slot, tuple[Member, float]] = {}
        self._starved: set[str] = set()

    def check(self, pools: Iterable[Pool]) -> None:
        """Ask every replica that serves whether it still does, each as soon as its last question is answered."""
        for pool in pools:
            for member in pool.ready:
                asked = self._checked.get(member.name)
                if member.pid is not None and (asked is None or asked.done()):
                    work = self._alive(pool, member, member.pid)
                    self._checked[member.name] = asyncio.create_task(work, name=f"check {member.name}")

    async def _alive(self, pool: Pool, member: Member, pid: int) -> None:
        watch = AnswerWatch((pid, member.child.worker if member.child else None))
        # Several short questions: where this host itself was stopped meanwhile, only one of them has failed.
        for _ in range(ASKS):
            begun_s = time.monotonic()
            with suppress(Unreachable):
                await ask(("127.0.0.1", member.port), "/health", timeout_s=ASK_S)
                self._starved.discard(member.name)
                return
            await asyncio.sleep(begun_s + ASK_S - time.monotonic())
            if member.pid != pid or member not in pool.ready:
                return  # It has ended or is ending, and its pool says so.
            watch.look(ASK_S)
        if not pool.resting(member):
            self._silent(pool, member, suspicion(watch.seen()))

    def _silent(self, pool: Pool, member: Member, found: Suspicion) -> None:
        if found is Suspicion.STARVED and member.name not in self._starved:
            self._starved.add(member.name)
            why = f"{member.name} gave no answer within {HANGS_S:g} s: this machine has no CPU for it; it is left alone"
            self._note(Noted(why, Level.WARNING, pool.slot, member.name))
        if found is Suspicion.SURE or (found is Suspicion.LIKELY and self._its_turn(pool.slot)):
            self._replaced[pool.slot] = (member, time.monotonic())
            pool.kill(member, f"it hangs: no answer to /health within {HANGS_S:g} s, and no CPU used")

    def _its_turn(self, slot: Slot) -> bool:
        """Whether no other of the slot is being replaced: what silences several at once is seldom their own fault."""
        if slot not in self._replaced:
            return True
        member, at_s = self._replaced[slot]
        # One that was ended a moment ago is held for ready until that is heard.
        back = member.state is ReplicaState.READY and member.turned_s > at_s
        return back or member.leaving or time.monotonic() - at_s >= TURN_S
