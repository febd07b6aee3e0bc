"""The local target keeps the contract, over a real router and forked replicas."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from core.targets.local.client import status
from tests.targets.conftest import Endpoints
from tests.targets.contract import Contract, MakeTarget
from tests.targets.helpers import Watcher, watching


class TestContract(Contract):
    """The suite over one host, emptied after each test."""

    tokens = itertools.count(0, 10)

    @pytest.fixture(scope="class")
    def shared(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
        """The endpoint of all tests here."""
        endpoints = Endpoints(tmp_path_factory.mktemp("contract"))
        yield endpoints
        asyncio.run(endpoints.end())

    @pytest.fixture
    async def make(self, shared: Endpoints) -> AsyncIterator[MakeTarget]:
        """Targets over it; each test's drivers follow those of the test before."""
        base = next(self.tokens)
        yield lambda token: shared.target(base + token)
        last = shared.target(base + 9)
        found = await status(last.spec.folder)
        if found is not None and found.alive:
            await last.route({})
            async with watching(last) as watcher:
                for seen in found.slots:
                    await last.remove(seen.slot)
                    await watcher.until(lambda slot=seen.slot: _empty(watcher, slot))  # type: ignore[misc]
        for target in shared.made:
            await target.close()


def _empty(watcher: Watcher, slot: str) -> bool:
    return slot not in watcher.slots or watcher.slots[slot].version is None
