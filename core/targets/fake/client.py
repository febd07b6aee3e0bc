"""A target without a place: the protocol in memory, for tests and for trying plans out. It serves nothing.

Every change lands inside a thread some time after it was asked for, as an SDK's does, so giving up on a call
doesn't take it back. What goes wrong is written beforehand: see `Place`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from core.domain.errors import Refused
from core.domain.model import Slot, Sticky, Version
from core.targets.fake.place import Call, Delays, FakePlace, Subscription
from core.targets.protocol import Address, Report

__all__ = ["Call", "Delays", "FakePlace", "FakeTarget"]


class FakeTarget:
    """A `Target` over a `Place`. One thread makes all changes, so they land in the order they were asked."""

    def __init__(self, place: FakePlace | None = None, *, token: int = 0, key: str = "") -> None:
        self.place = place or FakePlace()
        self.token = token
        self.key = key
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fake-target")
        self._following: list[Subscription] = []
        self._closed = False

    @property
    def asked(self) -> list[Call]:
        """Every change that was asked of the place, oldest first."""
        return self.place.asked

    async def apply(self, slot: Slot, version: Version, replicas: int) -> None:
        """Ask for `replicas` of a version in a slot."""
        await self._land(Call("apply", slot, version, replicas, token=self.token))

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Ask for so many replicas of what a slot holds."""
        await self._land(Call("scale", slot, replicas=replicas, token=self.token))

    async def route(
        self,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float] | None = None,
        sticky: Sticky | None = None,
    ) -> None:
        """Ask for traffic weights in percent, for a slot that gets a copy of so many percent, for callers who stay."""
        await self._land(
            Call("route", weights=dict(weights), mirror=dict(mirror or {}), sticky=sticky, token=self.token)
        )

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to go."""
        await self._land(Call("remove", slot, token=self.token))

    async def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then each change, until closed."""
        async for report in self._follow(self.place.follow()):
            if not isinstance(report, str):
                yield report

    async def logs(self, slot: Slot, replica: str = "", lines: int = 50) -> AsyncIterator[str]:
        """The last lines of a slot's log, then each new one."""
        async for line in self._follow(self.place.read(slot, replica, lines)):
            if isinstance(line, str):
                yield line

    async def address(self, slot: Slot | None = None) -> Address:
        """Where nothing answers; the header is the one that a real router understands."""
        return Address(self.place.url, {"x-quarterdeck-slot": slot} if slot else {}, self.key)

    async def close(self) -> None:
        """End watches and logs; the place goes on."""
        self._closed = True
        for follower in list(self._following):
            follower.put(None)
        self._thread.shutdown(wait=False)

    async def _land(self, asked: Call) -> None:
        if self._closed:
            raise Refused(f"{asked.verb}: this target is closed")
        await asyncio.get_running_loop().run_in_executor(self._thread, self.place.land, asked)

    async def _follow(self, follower: Subscription) -> AsyncIterator[Report | str]:
        self._following.append(follower)
        try:
            while not self._closed or not follower.queue.empty():
                item = await follower.queue.get()
                if item is None:
                    return
                yield item
        finally:
            self.place.leave(follower)
            self._following.remove(follower)
