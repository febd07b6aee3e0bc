"""The pools of an endpoint, slot by slot: opened for what a slot is to hold, changed one replica after the other."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.domain.model import Noted, Slot
from core.targets.local.pool import Pool
from core.targets.local.pool_record import pools_left
from core.targets.local.starting import BACKOFF_S, STEADY_S
from core.targets.local.state import Held

MANNED_S = 3.0
"""A host that comes back waits so long for replicas before its router takes requests."""
SURGE = 0.25
"""As Kubernetes' Deployment: so many more of the new replicas than are needed may run beside the old ones."""


class Slots:
    """`pools` has the newest pool of a slot last. `held` says what each is to hold; `changed` and `gone` hear of it."""

    def __init__(
        self,
        *,
        held: Callable[[], Mapping[Slot, Held]],
        changed: Callable[[Slot], None],
        gone: Callable[[Slot], None],
        note: Callable[[Noted], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.pools: dict[Slot, list[Pool]] = {}
        self._held = held
        self._tell = changed
        self._gone = gone
        self._note = note
        self._spawn = spawn
        self._turned = asyncio.Event()
        self._losses: dict[Slot, int] = {}
        self._found = False

    async def find(self, folder: Path) -> None:
        """Take over what an earlier host has left."""

        async def find(place: Path, slot: Slot, held: Held) -> None:
            pool = self._pool(slot, held, place)
            self.pools.setdefault(slot, []).append(pool)
            await pool.find()

        await asyncio.gather(*(find(*one) for one in await asyncio.to_thread(pools_left, folder)))
        self._found = True
        for slot, pools in list(self.pools.items()):
            for pool in [pool for pool in pools if pool.lost and not pool.members]:
                await pool.stop()  # Of another boot, or killed to the last.
                pools.remove(pool)
            if slot not in self._held():
                self.close_all(slot)
            if not pools:
                del self.pools[slot]

    async def manned(self, slots: Mapping[Slot, float]) -> None:
        """Wait until every one of these slots has a replica, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MANNED_S):
                while not all(any(pool.ready for pool in self.pools.get(slot, [])) for slot in slots):
                    await self._turn()

    def open(self, slot: Slot, held: Held) -> None:
        """Have a pool for what a slot is to hold; an older one goes as this one comes."""
        pools = self.pools.setdefault(slot, [])
        now = pools[-1] if pools else None
        if now is None or now.closing or now.outdated or now.lost or now.held.replicas_of != held.replicas_of:
            now = self._pool(slot, held)
            pools.append(now)
        now.adopt(held)
        self.changed(slot)

    def retry(self, slot: Slot) -> None:
        """Have what could not start tried now, whatever its next try was to be."""
        for pool in self.pools.get(slot, []):
            pool.retry()

    async def renew(self, within_s: float) -> str:
        """Change every replica for a new process; gives why that does not come true: then the old ones stay."""
        for slot, held in list(self._held().items()):
            for pool in self.pools.get(slot, []):
                pool.outdated = True
            self.open(slot, held)
        why = await self._all_changed(within_s)
        if why:
            for slot in list(self.pools):
                self._stay(slot)
        return why

    def changed(self, slot: Slot) -> None:
        """A replica changed: go on with the change of pools, then tell."""
        self._turned.set()
        if self._found:
            self._roll(slot)
            self._tell(slot)

    def close_all(self, slot: Slot) -> None:
        """Let a slot drain and go."""
        for pool in self.pools.get(slot, []):
            self._close(slot, pool)

    def forget_all(self) -> None:
        """Look after none any more: whoever asked for the pools ends them."""
        self.pools.clear()
        self._turned.set()

    def _pool(self, slot: Slot, held: Held, place: Path | None = None) -> Pool:
        return Pool(
            slot,
            held,
            changed=lambda: self.changed(slot),
            note=self._note,
            taken=lambda: {name for pool in self.pools.get(slot, []) for name in pool.members},
            place=place,
        )

    async def _turn(self) -> None:
        """Wait for the next change of a replica."""
        self._turned.clear()
        await self._turned.wait()

    def _roll(self, slot: Slot) -> None:
        """Let the newest pool grow as the older ones shrink, so that never less than what is wanted serves."""
        held, pools = self._held().get(slot), self.pools.get(slot, [])
        if held is None or not pools or pools[-1].closing:
            return
        *older, now = pools
        older = [pool for pool in older if not pool.closing]
        if now.lost:
            self._reopen(slot, now)
        elif not older or not any(pool.ready for pool in older) or len(now.ready) >= held.wanted:
            for pool in older:
                self._close(slot, pool)
            now.resize(held.wanted)
        else:
            now.resize(min(held.wanted, len(now.ready) + math.ceil(held.wanted * SURGE)))
            spare = sum(len(pool.staying) for pool in older) - (held.wanted - len(now.ready))
            for pool in older:
                over = max(0, min(spare, len(pool.staying)))
                spare -= over
                pool.resize(len(pool.staying) - over)

    def _reopen(self, slot: Slot, lost: Pool) -> None:
        """Another pool for one whose parent has gone; at once, unless that goes on and on."""
        if lost.outdated:
            return
        lost.outdated = True
        steady = time.monotonic() - lost.began_s > STEADY_S
        self._losses[slot] = 0 if steady else self._losses.get(slot, 0) + 1
        self._spawn(self._again(slot, BACKOFF_S[min(self._losses[slot], len(BACKOFF_S) - 1)]))

    async def _again(self, slot: Slot, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        held = self._held().get(slot)
        if held is not None:
            self.open(slot, held)

    async def _all_changed(self, within_s: float) -> str:
        """Wait until no old replica is left; gives why that does not come."""
        try:
            async with asyncio.timeout(within_s):
                while any(pool.outdated for pools in self.pools.values() for pool in pools):
                    if why := next((pools[-1].fails for pools in self.pools.values() if pools[-1].fails), ""):
                        return why
                    await self._turn()
        except TimeoutError:
            return f"it took longer than {within_s:g} s"
        return ""

    def _stay(self, slot: Slot) -> None:
        """Have the old pool again for one that was to follow it, unless the slot holds something else by now."""
        pools, held = self.pools[slot], self._held().get(slot)
        able = [pool for pool in pools if pool.outdated and not pool.closing and not pool.lost]
        old = next((pool for pool in able if held is not None and pool.held.replicas_of == held.replicas_of), None)
        if old is not None:
            old.outdated = False
            pools.remove(old)
            self.close_all(slot)
            pools.append(old)
            self.changed(slot)

    def _close(self, slot: Slot, pool: Pool) -> None:
        if not pool.closing:
            pool.closing = True
            self._spawn(self._end(slot, pool))

    async def _end(self, slot: Slot, pool: Pool) -> None:
        await pool.stop()
        pools = self.pools.get(slot, [])
        if pool in pools:
            pools.remove(pool)
        if not pools and self.pools.pop(slot, None) is not None:
            self._gone(slot)
        self._turned.set()
