"""Starting the host of an endpoint, once, whoever asks at the same time; and ending one that hangs."""

import asyncio
import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput, Refused, Unreachable
from core.system.processes import ProcessId, child_environment, ended, python, send
from core.system.scheduling import state_of
from core.system.unanswered import AnswerWatch
from core.targets.local import records, wire
from core.targets.local.router_revival import keeping_router
from core.targets.local.spec import EndpointSpec

START_S = 30.0
SIGN_S = 2.0
"""Whoever has waited so long for an answer asks whether the host lives at all."""
LAST_S = 1.0
"""One that was silent is asked once more, for so long, and watched for whether it gets a CPU."""
END_S = 5.0


def prepare(spec: EndpointSpec) -> None:
    """Write what a host takes up when it starts; raises BadInput where the folder can't be written."""
    try:
        spec.folder.mkdir(parents=True, exist_ok=True)
        (spec.folder / "logs").mkdir(exist_ok=True)
        records.write(spec.folder / "spec.json", spec.to_json())
    except OSError as error:
        raise BadInput(f"{spec.folder}: {error.strerror or error}; the endpoint keeps its state there") from error


def recorded(folder: Path) -> ProcessId | None:
    """The process of the host that was the last to listen, if it runs."""
    return records.process_in(records.read(records.host_record(folder)))


async def kill(host: ProcessId | None) -> None:
    """Kill a host: this one, and no other that may have followed it meanwhile."""
    if host is not None and send(host, signal.SIGKILL):
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await ended(host)


async def end_hung(folder: Path, host: ProcessId | None) -> bool:
    """Kill a host that gives no sign of life; False where it only waits for a CPU, or answers by now: it stays."""
    if host is not None and not await _hangs(folder, host):
        return False
    await kill(host)
    return True


async def _hangs(folder: Path, host: ProcessId) -> bool:
    """Whether it gives no answer to a last question either, for which it had a CPU. A stopped one isn't asked."""
    if state_of(host.pid) in ("T", "t"):
        return True
    watch = AnswerWatch((host.pid, None))
    try:
        await wire.ask(folder, {"do": "status"}, timeout_s=LAST_S)
    except wire.SilentError:
        watch.look(LAST_S)
        return not watch.starved
    except (OSError, Unreachable):
        return True
    return False


async def patiently(folder: Path, message: dict[str, Any]) -> dict[str, Any]:
    """Ask a host; raises SilentError as soon as it turns out that it hangs. What it was asked is given up then."""
    asking = asyncio.create_task(wire.ask(folder, message), name=f"ask {message['do']}")
    try:
        while not (await asyncio.wait({asking}, timeout=SIGN_S))[0]:
            await sign_of_life(folder)
        return asking.result()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def sign_of_life(folder: Path) -> None:
    """Raises SilentError where a host gives none, OSError without one.

    It is asked twice: where this process itself was stopped for long, one question alone would seem unanswered.
    """
    timeout_s = (wire.HANGS_S - SIGN_S) / 2
    try:
        await wire.ask(folder, {"do": "status"}, timeout_s=timeout_s)
    except wire.SilentError:
        await wire.ask(folder, {"do": "status"}, timeout_s=timeout_s)


async def start(folder: Path) -> None:
    """Start the host of a folder unless one runs, its router before it; raises what it says against it."""
    async with keeping_router(folder):
        await start_host(folder)


async def start_host(folder: Path) -> None:
    """As `start`, for whoever keeps the router meanwhile and tells of it."""
    if not await asyncio.to_thread(folder.is_dir):
        raise Refused(f"{folder.name} has never been deployed here; deploy a model first")
    try:
        async with asyncio.timeout(START_S):
            # Another host may be just starting, or just ending: one of the next rounds finds out.
            while (await _spawn(folder)).get("running"):
                host = recorded(folder)
                try:
                    await sign_of_life(folder)
                except wire.SilentError:
                    await end_hung(folder, host)
                except (OSError, Unreachable):
                    await asyncio.sleep(0.02)
                else:
                    return
    except TimeoutError as error:
        raise Unreachable(f"the host of {folder.name} did not answer within {START_S:g} s; see host.log") from error


async def _spawn(folder: Path) -> dict[str, Any]:
    """Run a host; gives the line it says to its starter, or raises the error in it."""
    process = await asyncio.create_subprocess_exec(
        *python("core.targets.local.host", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=child_environment(),
        start_new_session=True,
    )
    # It closes its end once it runs. A broken host says a traceback, whose last line is what is wrong.
    said = (await process.communicate())[0].strip().splitlines()[-1:]
    if not said or not said[0].startswith(b"{"):
        why = said[0].decode(errors="replace") if said else "it said nothing"
        raise Unreachable(f"the host of {folder.name} did not start: {why}")
    answer: dict[str, Any] = json.loads(said[0])
    wire.raise_failure(answer)
    return answer
