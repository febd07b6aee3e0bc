"""The router: Envoy, told by renaming files, watched, and started again when it dies or hangs."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.domain.errors import BadInput, Unreachable
from core.domain.model import Level, Noted
from core.system.text import clean_line
from core.targets.local import envoy
from core.targets.local.envoy_process import START_S, EnvoyProcess, binary
from core.targets.local.http import ask
from core.targets.local.ports import who_holds

BACKOFF_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
STEADY_S = 10.0
TELLS_S = 1.0
"""A router that is to end tells its clients for so long to come no more, before it hangs up on those that are idle."""


class Router:
    """Envoy and its files in a folder. `up` is called each time it answers after a start."""

    def __init__(
        self, folder: Path, address: tuple[str, int], note: Callable[[Noted], None], up: Callable[[], None]
    ) -> None:
        self.folder = folder
        self.address = address
        self.starts = 0
        self.adopted = False
        self._note = note
        self._up = up
        self._written: dict[str, str] = {}
        self._envoy = EnvoyProcess(folder.parent)
        self._keeper: asyncio.Task[None] | None = None
        self._first: asyncio.Future[str] | None = None

    @property
    def admin(self) -> Path:
        """Where the present Envoy is asked."""
        return self._envoy.admin

    async def start(self, table: envoy.Table) -> None:
        """Write everything, and start Envoy or find the one that runs; ends when it answers or raises BadInput."""
        binary()
        self.adopted = await self._envoy.find()
        if not self.adopted:
            self._bootstrap(0)
        self.write(table)
        self._first = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name="router")
        try:
            async with asyncio.timeout(START_S):
                why = await self._first
        except TimeoutError:
            why = f"it gave no answer within {START_S:g} s"
        if why:
            raise BadInput(f"the router does not start: {why}")

    async def revive(self) -> bool:
        """Start Envoy on the files that an earlier host has left, for the next one; False where it can't be."""
        if await self._envoy.find() or who_holds(*self.address):
            return False
        await self._envoy.start(self._bootstrap(0))
        return True

    def _bootstrap(self, epoch: int) -> Path:
        """The file that Envoy starts with."""
        admin = self._envoy.admin_of(epoch)
        admin.unlink(missing_ok=True)
        self._put("bootstrap.json", envoy.bootstrap(self.folder, admin, *self.address))
        return self.folder / "bootstrap.json"

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
        """Tell who is connected to come no more, take no new connection, wait until what is in hand is answered.

        A connection that is closed without a word is a reset for whoever was about to send over it.
        """
        with suppress(Unreachable):
            until_s = time.monotonic() + within_s
            await ask(self.admin, "/drain_listeners?graceful&skip_exit", method="POST")
            await self._none("downstream_cx_active", min(until_s, time.monotonic() + TELLS_S))
            await ask(self.admin, "/drain_listeners", method="POST")
            await self._none("downstream_rq_active", until_s)

    async def _none(self, gauge: str, until_s: float) -> None:
        """Wait until nothing of a kind is left, or the time is over; raises Unreachable."""
        while True:
            answer = await ask(self.admin, f"/stats?filter=^http.front.{gauge}$")
            if answer.body.decode().strip().endswith(" 0") or time.monotonic() > until_s:
                return
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End Envoy and stop watching it."""
        await self.leave()
        await self._envoy.stop()

    async def leave(self) -> None:
        """Stop watching it; Envoy goes on."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def renew(self) -> None:
        """Change Envoy for a new process under way; raises Failed, and then the old one stays."""
        epoch = self._envoy.epoch + 1
        await self._envoy.follow(self._bootstrap(epoch), epoch)
        self.starts += 1
        self._up()

    async def _keep(self) -> None:
        short_lives = 0
        fell_s: float | None = None
        adopted = self.adopted
        while True:
            begun_s = time.monotonic()
            try:
                why = await self._once(fell_s, adopted=adopted)
            except Exception as error:
                # A full disk, an odd answer: whatever it was, an endpoint without a keeper of its router is worse.
                why = clean_line(f"{type(error).__name__}: {error}")
            adopted = False
            fell_s = time.monotonic()
            self._settle(why)
            short_lives = 0 if fell_s - begun_s > STEADY_S else short_lives + 1
            delay_s = BACKOFF_S[min(short_lives, len(BACKOFF_S)) - 1] if short_lives else 0.0
            again = f"again in {delay_s:g} s" if delay_s else "starting it again"
            self._note(Noted(f"the router died: {why}; {again}", Level.ERROR, source="router"))
            await asyncio.sleep(delay_s)

    async def _once(self, fell_s: float | None, *, adopted: bool) -> str:
        """Run one Envoy until it ends; gives the reason in words."""
        if not adopted:
            # One that was draining has its port still.
            await self._envoy.kill()
            holder = who_holds(*self.address)
            if holder:
                return holder
            await self._envoy.start(self._bootstrap(0))
        if await self._envoy.answers():
            self.starts += 1
            if fell_s is not None:
                took_ms = 1000 * (time.monotonic() - fell_s)
                self._note(Noted(f"the router is back after {took_ms:.0f} ms", source="router"))
            self._settle("")
            self._up()
        return await self._envoy.ends()

    def _settle(self, why: str) -> None:
        """Let `start` know how the first one fared."""
        if self._first is not None and not self._first.done():
            self._first.set_result(why)
