"""How the service is run inside an image, the same whoever builds it: a place for each thing, one command, no owner."""

import platform
from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

from core.domain.errors import Failed
from core.domain.model import Version
from core.images.interpreter import USER

CODE = "app"
"""The packages and scoring itself."""
MODEL = "model"
PORT = 8080
PROGRAM = ("python", "-m", "scoring")
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the one folder of the container that can be written
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"/{CODE}",
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
}
EPOCH = "1970-01-01T00:00:00Z"
"""When every image was made: its digest says what is in it, and nothing else."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def arguments(version: Version) -> list[str]:
    """What the program is told: where the model lies, where to listen, and which version it is."""
    said = {"model": version.model, "version": version.number, "run-id": version.run_id, "uri": version.uri}
    known = [f"--{name}={value}" for name, value in said.items() if value]
    return [f"/{MODEL}", "--host", "0.0.0.0", "--port", str(PORT), *known]  # noqa: S104 - of its container alone


def labels(version: Version) -> dict[str, str]:
    """What can be asked of the image without running it."""
    return {
        "org.opencontainers.image.title": version.model,
        "org.opencontainers.image.version": version.number,
        "org.opencontainers.image.revision": version.run_id,
        "dev.quarterdeck.model": version.model,
        "dev.quarterdeck.version": version.number,
        "dev.quarterdeck.release": installed("quarterdeck"),
    }


def architecture() -> str:
    """This machine's, as images call it; raises Failed for one that they have no name for."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise Failed(f"{machine}: no image is made of this machine's kind; x86_64 and arm64 are known")
    return _MACHINES[machine]


def config(version: Version, layers: Mapping[str, str]) -> dict[str, Any]:
    """The image's config; `layers` are the digests of their tars by what they are."""
    return {
        "architecture": architecture(),
        "os": "linux",
        "created": EPOCH,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())],
            "Entrypoint": list(PROGRAM),
            "Cmd": arguments(version),
            "WorkingDir": "/",
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "Labels": labels(version),
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": list(layers.values())},
        "history": [{"created": EPOCH, "created_by": f"quarterdeck image build: {what}"} for what in layers],
    }
