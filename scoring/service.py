"""The service in this process: starts the server, says when it is ready, drains on SIGTERM, returns.

`load` and `warm` run in a parent that forks, `serve` in its children: the first two start no thread.
"""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from errno import EADDRINUSE

from granian.constants import HTTPModes
from granian.server.embed import Server

from scoring import fast_path
from scoring.app import App
from scoring.log import note, refusals, say
from scoring.model import Model, ModelError
from scoring.settings import Identity, ServingSettings

__all__ = ["Identity", "ServeError", "ServingSettings", "free_port", "serve", "warm"]

START_S = 10.0
STOP_S = 1.0
QUIET_S = 0.1
BACKLOG = 1024


class ServeError(Exception):
    """The service can't listen: where, why, what to do, in one line."""


def warm() -> None:
    """Have everything imported that serving needs. Importing this module has done it; objects settle for forks."""
    gc.collect()
    gc.freeze()


def serve(model: Model, identity: Identity, settings: ServingSettings, ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is in flight and return.

    `ready` is called once predictions are taken. Raises `ServeError` when the port is taken, `ModelError`
    when the model can't predict its first row, or is lost meanwhile.
    """
    settings = replace(settings, host=_address(settings.host), port=free_port(settings.host, settings.port))
    asyncio.run(_serve(model, identity, settings, ready))


async def _serve(model: Model, identity: Identity, settings: ServingSettings, ready: Callable[[], None] | None) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = App(model, identity, settings)
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        backlog=BACKLOG,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    running = loop.create_task(server.serve(fast_path.worker))
    whys: list[str] = []

    def lost(why: str) -> None:
        whys.append(why)
        loop.call_soon_threadsafe(stopping.set)

    try:
        await _either(app.listening, running, START_S)
        # A replica whose model is gone drains and ends: whoever looks after it starts another.
        model.warm_up(lost)
        app.open()
        note(f"ready: {identity.model} v{identity.version} on {settings.host}:{settings.port}")
        if ready is not None:
            ready()
        await _either(stopping, running)
        note("draining: no new predictions")
        await _drain(app, settings.drain_s)
        refusals.tell()
        note("stopped")
        if whys:
            # Nobody asked for this end: it is told as what it is, with the last word in the log.
            raise ModelError(whys[0])
    finally:
        app.drain()
        await _stop(server, running)
        model.close()


async def _either(event: asyncio.Event, running: "asyncio.Task[None]", within_s: float | None = None) -> None:
    """Until the event; `ServeError` if the server ends by itself before, or nothing happens in time."""
    waiting = asyncio.ensure_future(event.wait())
    done, _ = await asyncio.wait({waiting, running}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not done:
        raise ServeError(f"the server did not listen within {within_s:g} s: start it again")
    if running.done():
        raise ServeError(f"the server stopped by itself: {running.exception() or 'it gave no reason'}")


async def _drain(app: App, drain_s: float) -> None:
    """Take no new predictions, and wait until those in flight are answered, `drain_s` at the most."""
    app.drain()
    try:
        async with asyncio.timeout(drain_s):
            # Requests that are on the wire already are to hear 503, not a reset.
            await asyncio.sleep(min(QUIET_S, drain_s))
            await app.idle.wait()
    except TimeoutError:
        say(f"drain: {app.in_flight} requests had no answer after {drain_s:g} s")


async def _stop(server: Server, running: "asyncio.Task[None]") -> None:
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({running}, timeout=STOP_S)
    running.cancel()


def free_port(host: str, port: int) -> int:
    """The port to listen on. Asked for without sharing: the server itself would share it with another one."""
    address = _address(host)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            taken = error.errno == EADDRINUSE
            what = "stop what listens there or take another port" if taken else "take another address"
            raise ServeError(f"{host}:{port}: {error.strerror}; {what}") from None
        return int(probe.getsockname()[1])


def _address(host: str) -> str:
    """The address of a name, which the server does not look up by itself."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise ServeError(f"{host}: {error.strerror}; take an address of this machine") from None
