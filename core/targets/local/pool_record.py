"""A pool as it is written down, for its parent and for the next host."""

import json
import shutil
import signal
from pathlib import Path

from core.domain.model import Slot
from core.state.codec import noun, plain
from core.system.processes import send
from core.targets.local import records
from core.targets.local.child import Child
from core.targets.local.keys import key_name, key_named
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import Held


def write_pool(place: Path, slot: Slot, held: Held) -> None:
    """Write down what a pool is."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    version, spec = held.version, held.spec
    identity = {"model": version.model, "version": version.number, "run_id": version.run_id, "uri": version.uri}
    identity["registry"] = _registry(held.model)
    what = {"slot": slot, "version": plain(version), "model": str(held.model), "spec": spec.to_json()}
    key = key_name(spec.folder, spec.key)
    records.write(place / "pool.json", {**what, "key": key, "identity": identity})


def _registry(model: Path) -> str:
    """The address of the registry that a model folder came from; empty where it does not say."""
    try:
        return str(json.loads((model / "version.json").read_text()).get("registry", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def pools_left(folder: Path) -> list[tuple[Path, Slot, Held]]:
    """The pools that an earlier host has left, oldest first: where, for which slot, and what they hold."""
    found = []
    for place in sorted(records.run_folder(folder).glob("*/")):
        try:
            what = json.loads((place / "pool.json").read_text())
            spec = EndpointSpec.from_json(what["spec"], folder, key_named(folder, what["key"]))
            found.append((place, what["slot"], Held(noun(what["version"]), Path(what["model"]), 0, 0, spec)))
        except (OSError, ValueError, KeyError, TypeError):
            # Nobody can say what it was, so nothing of it may go on.
            for process in records.in_pool(place):
                send(process, signal.SIGKILL)
            shutil.rmtree(place, ignore_errors=True)
    return found


def orphans_left(place: Path) -> list[Child]:
    """The replicas of a pool whose parent has gone. What was only about to serve is ended."""
    found = []
    for path in sorted(place.glob("replica-*.json")):
        child = Child.from_json({"name": path.stem, "port": 0, "restarts": 0, "process": None, **records.read(path)})
        if child.live.done():
            found.append(child)
        else:
            child.kill()
    return found
