"""What the watch looks after besides releases: every endpoint is attended, and what is no longer needed goes."""

import asyncio
import logging
import os
from collections.abc import Callable

from core.domain.errors import QuarterdeckError
from core.domain.model import Level, Noted
from core.engine.engine import Engine
from core.engine.project import Project
from core.engine.retention import look_after
from core.state.endpoint_events import Remarked
from core.state.snapshot import Snapshot
from core.system.processes import ProcessId

LOOK_S = 0.5
TIDY_S = 60.0
log = logging.getLogger("quarterdeck")


class Keeper:
    """One project's. `looked_at` says whether somebody looks: then every second of telemetry is written down."""

    def __init__(self, project: Project, engine: Engine, looked_at: Callable[[], bool]) -> None:
        self._project = project
        self._engine = engine
        self._looked_at = looked_at
        self._told_s = 0.0

    async def tell_of(self, earlier: ProcessId | None, orderly: bool = False) -> None:
        """Say at each endpoint that is up how the watch before this one ended."""
        if earlier is None or earlier.alive:
            return
        how = "was ended by a signal" if orderly else "ended without a word"
        text = f"the watch, process {earlier.pid}, {how}; process {os.getpid()} steers now"
        await self._remark("watch", text)

    async def tell_of_the_clock(self) -> None:
        """Say that somebody set the machine's clock, once for each time."""
        self._told_s, text = self._engine.clock_jump(self._told_s)
        if text:
            await self._remark("clock", text)

    async def _remark(self, source: str, text: str) -> None:
        """To everybody, at each endpoint that is up."""
        up = [endpoint.name for endpoint in self._engine.snapshot.endpoints.values() if endpoint.slots]
        try:
            await self._engine.emit(*(Remarked(name, Noted(text, Level.WARNING, source=source)) for name in up))
        except QuarterdeckError as error:
            log.warning("%s; the journal does not take it: %s", text, error)

    async def run(self, earlier: ProcessId | None = None, orderly: bool = False) -> None:
        """Until cancelled. `earlier` is the watch that was here last, unless it was stopped; `orderly`: by a signal."""
        loop = asyncio.get_running_loop()
        tidied_s = loop.time()
        await self.tell_of(earlier, orderly)
        while True:
            snapshot = self._engine.snapshot
            for name in snapshot.endpoints:
                self._engine.attend(name)
            await self.tell_of_the_clock()
            self._engine.coarse = not self._looked_at()
            if loop.time() >= tidied_s + TIDY_S:
                tidied_s = loop.time()
                await asyncio.to_thread(self._tidy, snapshot, self._engine.now())
            await self._engine.change(LOOK_S)

    def _tidy(self, snapshot: Snapshot, now: float) -> None:
        """In a thread, by a journal of its own: the loop goes on meanwhile."""
        try:
            look_after(Project(self._project.path).settings, snapshot, now)
        except (QuarterdeckError, OSError) as error:
            log.warning("tidying up: %s", error)
