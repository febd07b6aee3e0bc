"""What is done to an endpoint as a whole: told of, stopped, changed for the package that is installed now."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable
from core.system.clock import boottime_s
from core.system.processes import ended
from core.targets.local import records, wire
from core.targets.local.launch import end_hung, kill, recorded, start
from core.targets.local.spec import EndpointSpec, url_of
from core.targets.local.state import load
from core.targets.local.wire import HostStatus

STOP_S = 120.0
ROUTER_S = 15.0


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
        url = url_of(spec.host, state.port)
        return HostStatus(spec.endpoint, folder, False, None, url, state.observations(), None, why)


async def listing(root: Path) -> list[HostStatus]:
    """Every endpoint of the project in `root`."""
    folders = sorted(path for path in (root / ".quarterdeck" / "endpoints").glob("*") if path.is_dir())
    found = await asyncio.gather(*(status(folder) for folder in folders))
    return [one for one in found if one is not None]


async def stop(folder: Path) -> bool:
    """Drain and stop everything of an endpoint, whether or not its host lives; False when nothing runs."""
    try:
        await _long(folder, {"do": "stop"}, STOP_S)
        return True
    except OSError:
        if not _left(folder):
            return False
    except wire.SilentError:
        pass  # It hung, and was ended.
    try:
        await start(folder)
        await _long(folder, {"do": "stop"}, STOP_S)
    except (QuarterdeckError, OSError):
        # No host can be had: what is in hand is lost, but nothing is left behind.
        if not records.end_all(folder):
            raise
    return True


def _left(folder: Path) -> bool:
    """Whether anything of an endpoint runs, or should, without a host."""
    try:
        state = load(folder)
    except BadInput:
        return bool(records.running(folder))
    return bool(records.running(folder)) or (state is not None and bool(state.slots))


async def restart(folder: Path, note: Callable[[str], None]) -> None:
    """Change host, replicas and router of an endpoint for new processes of the package installed now, under load.

    Each goes only when its follower serves: no request fails. Raises Refused where nothing is deployed, Failed where
    a new replica or router does not come up: then the old ones go on.
    """
    state = load(folder)
    if state is None or not state.slots:
        raise Refused(f"{folder.name}: nothing is deployed here; deploy a model first")
    await _let_go(folder, note)
    await start(folder)
    note(f"{folder.name}: a new host has taken over; its replicas and its router follow")
    await _long(folder, {"do": "renew"}, wire.RENEW_S + ROUTER_S)
    note(f"{folder.name}: host, router and replicas run {wire.version()} now")


async def _let_go(folder: Path, note: Callable[[str], None]) -> None:
    """Have the host end without what it looks after."""
    host, before = recorded(folder), await status(folder)
    if before is not None and before.alive and not before.protocol:
        note(f"{folder.name}: its host is of a version whose replicas end with it: requests fail until they are back")
        ways = "'quarterdeck down --env ENVIRONMENT', then release"
        raise Refused(f"{folder.name}: its host is too old to let go of what serves; {ways}")
    try:
        await wire.ask(folder, {"do": "leave"}, timeout_s=wire.HANGS_S)
        if host is not None:
            async with asyncio.timeout(wire.HANGS_S):
                await ended(host)
    except (OSError, Unreachable, TimeoutError):
        await kill(host)


async def _long(folder: Path, message: dict[str, Any], within_s: float) -> None:
    """Ask for something that takes its time, as long as the host says that it lives. One that does not is ended.

    Raises OSError without a host, SilentError when it hung, Unreachable when it was not done in time.
    """
    host = recorded(folder)
    reader, writer = await wire.connect(folder)
    until_s = boottime_s() + within_s
    begin = {"until_s": boottime_s() + wire.HANGS_S, "by": wire.version()}
    try:
        writer.write(wire.line({**message, **begin}))
        while True:
            text = await wire.next_line(reader)
            if not text:
                return
            answer = json.loads(text)
            wire.raise_failure(answer)
            if "beat" not in answer:
                await _hangs_up(reader, within_s)
                return
            if boottime_s() > until_s:
                raise Unreachable(f"{message['do']}: {folder.name} was not done after {within_s:g} s; see host.log")
    except wire.SilentError as error:
        was = "hung and was ended" if await end_hung(folder, host) else wire.NO_CPU
        raise wire.SilentError(f"{message['do']}: the host of {folder.name} {was}") from error
    except TimeoutError as error:
        raise Unreachable(f"{message['do']}: the host of {folder.name} does not end; see host.log") from error
    except ConnectionResetError:
        return
    finally:
        writer.close()


async def _hangs_up(reader: asyncio.StreamReader, within_s: float) -> None:
    """The host hangs up as the last thing it does."""
    async with asyncio.timeout(within_s):
        await reader.read()
