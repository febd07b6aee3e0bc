"""The local target as the engine holds it: every verb goes to the endpoint's host, which is started where none runs."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Level, Noted, Slot, Sticky, Synced, Version
from core.state.codec import noun, plain
from core.targets.checks import check_apply
from core.targets.local import logs, wire
from core.targets.local.launch import end_hung, patiently, prepare, recorded, start, start_host
from core.targets.local.router_revival import keeping_router
from core.targets.local.routes import pin
from core.targets.local.secret import router_secret
from core.targets.local.spec import EndpointSpec, url_of
from core.targets.local.state import load
from core.targets.local.upkeep import listing, restart, status, stop
from core.targets.protocol import Address, Report

__all__ = ["LocalTarget", "listing", "restart", "status", "stop"]

POLL_S = 0.2
BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0)


class LeavingError(Exception):
    """The host goes and leaves what serves to the next one."""


class StarvedError(Exception):
    """The host gives no sign of life, and has no CPU to give one."""


class LocalTarget:
    """A `Target` on this machine. `fetch` gives the local folder of a version; `token` fences off older drivers."""

    def __init__(self, spec: EndpointSpec, fetch: Callable[[Version], Awaitable[Path]], token: int = 0) -> None:
        self.spec = spec
        self.token = token
        self._fetch = fetch
        self._closed = asyncio.Event()

    async def apply(self, slot: Slot, version: Version, replicas: int) -> None:
        """Ask for `replicas` of a version in a slot; the first call starts the host."""
        check_apply(slot, replicas)
        model = _absolute(await self._fetch(version))
        await self._ask(
            "apply",
            slot=slot,
            version=plain(version),
            model=model,
            replicas=replicas,
            spec=self.spec.to_json(),
            key=self.spec.key,
        )

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Ask for so many replicas of what a slot holds; the autoscaler goes on from there."""
        check_apply(slot, replicas)
        await self._ask("scale", slot=slot, replicas=replicas)

    async def route(
        self,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float] | None = None,
        sticky: Sticky | None = None,
    ) -> None:
        """Ask for traffic weights in percent, for a slot that gets a copy of so many percent, for callers who stay."""
        await self._ask("route", weights=dict(weights), mirror=dict(mirror or {}) or None, sticky=plain(sticky))

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to drain and go."""
        await self._ask("remove", slot=slot)

    async def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then each change; a host that dies is said and started again."""
        short_lives, told_empty, told_starved = 0, False, False
        while not self._closed.is_set():
            begun_s, how, level = time.monotonic(), "died", Level.ERROR
            try:
                async with aclosing(self._follow()) as reports:
                    async for report in reports:
                        told_empty = told_starved = False
                        yield report
            except wire.SilentError as error:
                how = f"hung ({error}) and was ended"
            except LeavingError:
                how, level = "has let go", Level.INFO
            except StarvedError:
                if not told_starved:
                    told_starved = True
                    yield Noted(f"the host of {self.spec.endpoint} {wire.NO_CPU}", Level.WARNING, source="host")
                continue
            except OSError:
                pass  # No host answers: what follows finds out why.
            if self._closed.is_set() or not _should_run(self.spec.folder):
                if not told_empty:
                    told_empty = True
                    yield Synced()
                await self._pause(POLL_S)
                continue
            short_lives = 0 if time.monotonic() - begun_s > max(BACKOFF_S) else short_lives + 1
            # Before anything is written down: requests fail until the router answers.
            async with keeping_router(self.spec.folder) as revived:
                yield Noted(f"the host of {self.spec.endpoint} {how}; starting it again", level, source="host")
                await self._pause(BACKOFF_S[min(short_lives, len(BACKOFF_S)) - 1] if short_lives else 0.0)
                back = await self._revive()
            if revived:
                yield Noted("the router died with it and was started at once", Level.ERROR, source="router")
            yield back

    async def logs(self, slot: Slot, replica: str = "", lines: int = 50) -> AsyncIterator[str]:
        """The last lines of a replica's log, or of all of a slot, then each new one."""
        folder = self.spec.folder / "logs"

        def paths() -> list[Path]:
            names = sorted(folder.glob(f"{slot}-*.log"))
            return [path for path in names if path.stem == replica] if replica else names

        async with aclosing(logs.follow(paths, lines, self._closed.is_set)) as found:
            async for line in found:
                yield line

    async def address(self, slot: Slot | None = None) -> Address:
        """Where the endpoint answers; raises Refused before its first deployment."""
        state = load(self.spec.folder)
        if state is None or not state.port:
            raise Refused(f"{self.spec.endpoint} has no address yet; deploy a model first")
        url = url_of(self.spec.host, state.port)
        weights = state.weights
        most = slot or max(weights, key=lambda name: weights[name], default=next(iter(state.slots), ""))
        # A slot has the key that it was deployed with, which may not be that of the present settings.
        key = state.slots[most].spec.key if most in state.slots else self.spec.key
        return Address(url, pin(slot, router_secret(self.spec.folder)) if slot else {}, key)

    async def close(self) -> None:
        """Let go: watches and logs end, the host goes on."""
        self._closed.set()

    async def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Ask the host; where none runs or it hangs another one is started, and asked once."""
        folder, message = self.spec.folder, {"do": do, "token": self.token, **more}
        host = recorded(folder)
        try:
            return await patiently(folder, message)
        except wire.SilentError:
            await end_hung(folder, host)
        except OSError:
            pass
        if do == "apply":
            prepare(self.spec)
        await start(folder)
        try:
            return await patiently(folder, message)
        except OSError as error:
            raise Unreachable(f"{do}: the host of {self.spec.endpoint} does not answer ({error})") from error

    async def _follow(self) -> AsyncGenerator[Report, None]:
        """One connection's reports; raises OSError without a host, SilentError when it hangs."""
        host = recorded(self.spec.folder)
        reader, writer = await wire.connect(self.spec.folder)
        closed = asyncio.create_task(self._closed.wait())
        read: Callable[[asyncio.StreamReader], Awaitable[bytes]] = wire.next_line
        greeted = False
        try:
            writer.write(wire.line({"do": "watch", "protocol": wire.PROTOCOL, "by": wire.version()}))
            while not closed.done():
                reading = asyncio.ensure_future(read(reader))
                try:
                    await asyncio.wait({reading, closed}, return_when=asyncio.FIRST_COMPLETED)
                    text = reading.result() if reading.done() else b""
                finally:
                    reading.cancel()
                if not text:
                    return
                said = json.loads(text)
                if not greeted:
                    greeted = True
                    if "greeting" not in said:
                        read = asyncio.StreamReader.readline  # So old that it does not beat.
                    if why := wire.unlike(said.get("greeting", {})):
                        yield Noted(f"{self.spec.endpoint}: {why}", Level.WARNING, source="host")
                if "leaving" in said:
                    raise LeavingError
                if not {"greeting", "beat"} & said.keys():
                    yield noun(said)
        except wire.SilentError as error:
            if await end_hung(self.spec.folder, host):
                raise
            raise StarvedError from error
        finally:
            closed.cancel()
            writer.close()

    async def _revive(self) -> Noted:
        begun_s = time.monotonic()
        try:
            await start_host(self.spec.folder)
        except QuarterdeckError as error:
            return Noted(f"the host of {self.spec.endpoint} does not start: {error}", Level.ERROR, source="host")
        took_ms = 1000 * (time.monotonic() - begun_s)
        return Noted(f"the host of {self.spec.endpoint} is back after {took_ms:.0f} ms", source="host")

    async def _pause(self, seconds: float) -> None:
        """Wait, unless closed meanwhile."""
        closed = asyncio.create_task(self._closed.wait())
        await asyncio.wait({closed}, timeout=seconds)
        closed.cancel()


def _absolute(path: Path) -> str:
    return str(path.resolve())


def _should_run(folder: Path) -> bool:
    """Did a host end that had something to carry?"""
    state = load(folder)
    return state is not None and bool(state.slots)
