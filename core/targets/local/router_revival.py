"""A router that died with its host is started before the next host is: that one takes longer to load than it does."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from core.domain.errors import QuarterdeckError
from core.system.processes import ended
from core.targets.local import records
from core.targets.local.router import Router
from core.targets.local.state import HostState, load

AGAIN_S = 0.1


def lock_host(folder: Path) -> int | None:
    """The right to look after an endpoint; None where another has it. It goes with its process, however that ends."""
    lock = os.open(folder / "host.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


async def revive_router(folder: Path) -> bool:
    """Start the router on the files it had, where it died, no host is there and its replicas live; whether it did.

    What stands against it is not said here: the host that is started next does the same again, and says why.
    """
    try:
        if not await asyncio.to_thread(_died, folder):
            return False
        with _alone(folder) as alone:
            # Another may have been quicker.
            if not alone or not await asyncio.to_thread(_died, folder):
                return False
            state = await asyncio.to_thread(load, folder)
            if state is None or not _answered_for(folder, state):
                return False
            address = (str(state.spec["host"]), state.port)
            return await Router(folder / "router", address, lambda _: None, lambda: None).revive()
    except (QuarterdeckError, OSError, KeyError):
        return False


@asynccontextmanager
async def keeping_router(folder: Path) -> AsyncIterator[list[None]]:
    """Until the next host is there its starter looks after the router; gives a list with one entry for each revival."""
    revived: list[None] = []

    async def keep() -> None:
        while True:
            process = records.process_in(records.read(records.router_record(folder)))
            if process is not None:
                await ended(process)
            if process is None or revived:
                # It can't be started now, or was already: what dies at its start is not asked without end.
                await asyncio.sleep(AGAIN_S)
            await once()

    async def once() -> None:
        if await revive_router(folder):
            revived.append(None)

    await once()
    keeper = asyncio.create_task(keep(), name=f"keep the router of {folder.name}")
    try:
        yield revived
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether there is no host; none begins meanwhile."""
    lock = lock_host(folder)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _died(folder: Path) -> bool:
    record = records.read(records.router_record(folder))
    return bool(record.get("process")) and records.process_in(record) is None


def _answered_for(folder: Path, state: HostState) -> bool:
    """Whether every slot with traffic has a replica: a router alone would answer 503 in a version's name."""
    manned = {str(records.read(place / "pool.json").get("slot")) for place in records.manned_pools(folder)}
    return bool(state.port and state.weights) and state.weights.keys() <= manned
