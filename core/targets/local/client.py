"""The local target as the engine holds it: every verb goes to the endpoint's host, which is started where none runs."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Level, Noted, Slot, Synced, Version
from core.state.codec import noun, plain
from core.targets.checks import check_apply
from core.targets.local import logs, wire
from core.targets.local.launch import prepare, start
from core.targets.local.routes import pin
from core.targets.local.secret import router_secret
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import load
from core.targets.local.wire import HostStatus
from core.targets.protocol import Address, Report

STOP_S = 120.0
POLL_S = 0.2
BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0)


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

    async def route(self, weights: Mapping[Slot, float], mirror: Slot | None = None) -> None:
        """Ask for traffic weights in percent."""
        await self._ask("route", weights=dict(weights), mirror=mirror)

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to drain and go."""
        await self._ask("remove", slot=slot)

    async def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then each change; a host that dies is said and started again."""
        short_lives, told_empty = 0, False
        while not self._closed.is_set():
            begun_s = time.monotonic()
            try:
                async with aclosing(self._follow()) as reports:
                    async for report in reports:
                        told_empty = False
                        yield report
            except OSError:
                pass  # No host answers: what follows finds out why.
            if self._closed.is_set() or not _should_run(self.spec.folder):
                if not told_empty:
                    told_empty = True
                    yield Synced()
                await self._pause(POLL_S)
                continue
            short_lives = 0 if time.monotonic() - begun_s > max(BACKOFF_S) else short_lives + 1
            yield Noted(f"the host of {self.spec.endpoint} died; starting it again", Level.ERROR, source="host")
            await self._pause(BACKOFF_S[min(short_lives, len(BACKOFF_S)) - 1] if short_lives else 0.0)
            yield await self._revive()

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
        url = f"http://{self.spec.host}:{state.port}"
        return Address(url, pin(slot, router_secret(self.spec.folder)) if slot else {}, self.spec.key)

    async def close(self) -> None:
        """Let go: watches and logs end, the host goes on."""
        self._closed.set()

    async def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        message = {"do": do, "token": self.token, **more}
        try:
            return await wire.ask(self.spec.folder, message)
        except OSError:
            if do == "apply":
                prepare(self.spec)
            await start(self.spec.folder)
        try:
            return await wire.ask(self.spec.folder, message)
        except OSError as error:
            raise Unreachable(f"{do}: the host of {self.spec.endpoint} does not answer ({error})") from error

    async def _follow(self) -> AsyncGenerator[Report, None]:
        """One connection's reports; raises OSError without a host."""
        reader, writer = await wire.connect(self.spec.folder)
        closed = asyncio.create_task(self._closed.wait())
        try:
            writer.write(wire.line({"do": "watch"}))
            while not closed.done():
                reading = asyncio.create_task(reader.readline())
                try:
                    await asyncio.wait({reading, closed}, return_when=asyncio.FIRST_COMPLETED)
                    text = reading.result() if reading.done() else b""
                finally:
                    reading.cancel()
                if not text:
                    return
                yield noun(json.loads(text))
        finally:
            closed.cancel()
            writer.close()

    async def _revive(self) -> Noted:
        begun_s = time.monotonic()
        try:
            await start(self.spec.folder)
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


async def status(folder: Path) -> HostStatus | None:
    """What an endpoint's host says, or what its folder says without one; None when nothing was ever there."""
    try:
        return HostStatus.from_json(await wire.ask(folder, {"do": "status"}, timeout_s=3))
    except (OSError, Unreachable) as error:
        state = load(folder)
        if state is None:
            return None
        why = str(error) if isinstance(error, Unreachable) else "its host is not running" if state.slots else "stopped"
        spec = EndpointSpec.from_json(state.spec, folder)
        url = f"http://{spec.host}:{state.port}"
        return HostStatus(spec.endpoint, folder, False, None, url, state.observations(), None, why)


async def stop(folder: Path) -> bool:
    """Drain and stop everything of an endpoint; False when no host runs."""
    try:
        reader, writer = await wire.connect(folder)
    except OSError:
        return False
    try:
        async with asyncio.timeout(STOP_S):
            writer.write(wire.line({"do": "stop"}))
            # The host hangs up as the last thing it does.
            await reader.read()
    except TimeoutError as error:
        raise Unreachable(f"{folder.name} was still draining after {STOP_S:g} s; see host.log") from error
    except ConnectionResetError:
        return True
    finally:
        writer.close()
    return True


async def listing(root: Path) -> list[HostStatus]:
    """Every endpoint of the project in `root`."""
    folders = sorted(path for path in (root / ".quarterdeck" / "endpoints").glob("*") if path.is_dir())
    found = await asyncio.gather(*(status(folder) for folder in folders))
    return [one for one in found if one is not None]
