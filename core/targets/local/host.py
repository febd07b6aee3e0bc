"""The detached process that carries one endpoint: `python -m core.targets.local.host FOLDER`.

It says one line of JSON to whoever starts it, then lets go of them and lives until it is stopped or its folder goes.
Router, parents and replicas outlive it, however it ends: the next host adopts them. Only `stop` ends them all.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput, QuarterdeckError
from core.domain.model import Level, Noted
from core.system.log_files import make_room
from core.system.ports import lasting_port
from core.targets.local import records, wire
from core.targets.local.endpoint import LocalEndpoint
from core.targets.local.keys import read_key
from core.targets.local.ports import check_port, who_holds
from core.targets.local.router_revival import lock_host
from core.targets.local.server import Server
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import HostState, load, save, state_path
from core.targets.local.wire import failure

LOOK_S = 1.0


def main() -> int:
    """Be the host of a folder; gives at once when another one is."""
    folder = Path(sys.argv[1]).resolve()
    lock = lock_host(folder)
    if lock is None:
        _say({"running": True})
        return 0
    if os.fork():
        # The starter waits for this process alone; the host itself belongs to nobody.
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        spec, state, note = _settle(folder)
    except (QuarterdeckError, OSError) as error:
        known = error if isinstance(error, QuarterdeckError) else BadInput(f"{folder}: {error.strerror or error}")
        _say(failure(known))
        return 1
    asyncio.run(_run(spec, state, note))
    return 0


def _settle(folder: Path) -> tuple[EndpointSpec, HostState, str]:
    """What to be: an earlier host's state under the spec of whoever starts this one, and the port to listen on."""
    state = load(folder)
    first = folder / "spec.json"
    if first.exists():
        spec = EndpointSpec.from_json(json.loads(first.read_text()), folder, read_key(folder))
        state = replace(state, spec=spec.to_json()) if state else HostState(spec.to_json())
    elif state is not None:
        spec = EndpointSpec.from_json(state.spec, folder, read_key(folder))
    else:
        raise BadInput(f"{folder}: nothing here says what to serve; deploy a model first")
    port, note = _port(spec, state)
    state = replace(state, port=port)
    save(folder, state)
    first.unlink(missing_ok=True)
    return spec, state, note


def _port(spec: EndpointSpec, state: HostState) -> tuple[int, str]:
    """Where to listen, and what is to be said about it."""
    if state.port and records.router_processes(spec.folder):
        # Our own router is there already: it is adopted as it is.
        return state.port, ""
    port = spec.port or state.port or lasting_port(spec.host)
    if who_holds(spec.host, port):
        # It may be a router of our own, started by a host that died before it could write that down.
        records.end_strays(spec.folder)
    if spec.port:
        check_port(spec.host, port)
    elif taken := who_holds(spec.host, port):
        port = lasting_port(spec.host)
        return port, f"{taken}, so {spec.endpoint} listens on port {port} now"
    return port, ""


async def _run(spec: EndpointSpec, state: HostState, note: str) -> None:
    endpoint = LocalEndpoint(spec, state)
    server = Server(endpoint)
    try:
        await endpoint.start()
        await server.start()
    except (QuarterdeckError, OSError) as error:
        await endpoint.leave()
        _say(failure(error if isinstance(error, QuarterdeckError) else BadInput(str(error))))
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    records.write(records.host_record(spec.folder), wire.greeting())
    _say({"pid": os.getpid(), "port": state.port})
    _let_go(spec.folder)
    endpoint.note(
        Noted(f"the host of {spec.endpoint} is up on port {state.port} (process {os.getpid()})", source="host")
    )
    if note:
        endpoint.note(Noted(note, Level.WARNING, source="host"))
    while not server.stopping.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await server.stopping.wait()
        if not state_path(spec.folder).exists():
            await endpoint.stop()
            break
    else:
        if not server.stopped:
            # Ended by a signal, or to make room for another version: what it looks after goes on without it.
            await endpoint.leave()
    records.host_record(spec.folder).unlink(missing_ok=True)
    await server.close()


def _say(message: dict[str, Any]) -> None:
    """The one line to the starter, which may have gone."""
    with suppress(BrokenPipeError):
        os.write(1, (json.dumps(message) + "\n").encode())


def _let_go(folder: Path) -> None:
    """From here on what is said goes to the host's own log."""
    path = folder / "host.log"
    make_room(path)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, place in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, place)
    os.close(null)
    os.close(log)


if __name__ == "__main__":
    sys.exit(main())
