"""Starting the host of an endpoint, once, whoever asks at the same time."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput, Refused, Unreachable
from core.targets.local import wire
from core.targets.local.children import environment
from core.targets.local.spec import EndpointSpec, write_key

START_S = 20.0


def prepare(spec: EndpointSpec) -> None:
    """Write what a host takes up when it starts; raises BadInput where the folder can't be written."""
    try:
        spec.folder.mkdir(parents=True, exist_ok=True)
        (spec.folder / "logs").mkdir(exist_ok=True)
        write_key(spec.folder, spec.key)
        beside = spec.folder / ".spec.json"
        beside.write_text(json.dumps(spec.to_json(), indent=1))
        beside.rename(spec.folder / "spec.json")
    except OSError as error:
        raise BadInput(f"{spec.folder}: {error.strerror or error}; the endpoint keeps its state there") from error


def _exists(folder: Path) -> bool:
    return folder.is_dir()


async def start(folder: Path) -> None:
    """Start the host of a folder unless one runs; raises what it says against it."""
    if not _exists(folder):
        raise Refused(f"{folder.name} has never been deployed here; deploy a model first")
    try:
        async with asyncio.timeout(START_S):
            # Another host may be just starting, or just ending: one of the two rounds finds out.
            while (await _spawn(folder)).get("running"):
                try:
                    await wire.ask(folder, {"do": "status"})
                except (OSError, Unreachable):
                    await asyncio.sleep(0.02)
                else:
                    return
    except TimeoutError as error:
        raise Unreachable(f"the host of {folder.name} did not answer within {START_S:g} s; see host.log") from error


async def _spawn(folder: Path) -> dict[str, Any]:
    """Run a host; gives the line it says to its starter, or raises the error in it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "core.targets.local.host", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(),
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
