"""The local target as one kind of place: from settings to an endpoint on this machine, and what is done to it whole."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from core.config.config import endpoint_name, state_folder
from core.config.settings import Settings
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput
from core.system.text import span
from core.targets.kinds import Models, Note, Standing
from core.targets.local import doctor, upkeep
from core.targets.local.behavior import behavior_of
from core.targets.local.client import LocalTarget
from core.targets.local.keys import read_key
from core.targets.local.spec import Autoscaling, EndpointSpec, exposed
from core.targets.local.wire import HostStatus
from core.targets.protocol import Target

NAME = "local"


def folder_of(settings: Settings, endpoint: str) -> Path:
    """Where all lies that the host of an endpoint knows."""
    return state_folder(settings) / "endpoints" / endpoint


def spec_of(settings: Settings, environ: Mapping[str, str] | None = None) -> EndpointSpec:
    """The endpoint on this machine that the settings describe; `environ` holds its key."""
    endpoint, scaling = settings.endpoint, settings.endpoint.autoscaling
    folder = folder_of(settings, endpoint_name(settings))
    # Whoever takes a release back at night may not have the variable; the endpoint has its key.
    key = (environ or os.environ).get(endpoint.key_env) or read_key(folder) if endpoint.key_env else ""
    if endpoint.key_env and not key:
        raise BadInput(f"endpoint.key_env: the variable {endpoint.key_env} is not set; set it to the endpoint's key")
    endpoint.carried(key)
    memory, packages = endpoint.memory_bytes, endpoint.pyfunc_memory_bytes
    return EndpointSpec(
        endpoint=endpoint_name(settings),
        folder=folder,
        host=endpoint.host,
        port=endpoint.port,
        cpu_m=endpoint.cpu_m,
        memory_mb=None if memory is None else round(memory / 1e6),
        pyfunc_memory_mb=None if packages is None else round(packages / 1e6),
        autoscaling=None
        if scaling is None
        else Autoscaling(
            scaling.min, scaling.max, scaling.cpu, scaling.memory, scaling.fast, behavior_of(scaling.behavior)
        ),
        key=key,
        drain_s=endpoint.drain_s,
        ready_deadline_s=endpoint.ready_deadline_s,
    )


class LocalKind:
    """Endpoints on this machine, each with a host of its own."""

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """The endpoint's target; raises BadInput where its key is missing or can't be one."""
        spec = spec_of(settings, environ)
        return lambda token: LocalTarget(spec, models, token)

    def key(self, settings: Settings, endpoint: str) -> str:
        """The key that the endpoint's host keeps."""
        return read_key(folder_of(settings, endpoint))

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """Every endpoint whose folder lies in the project's."""
        hosts = await upkeep.listing(root)
        return [Standing(host.endpoint, NAME, host.slots, tuple(_lines(host))) for host in hosts]

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """End host, router and replicas; False where none runs."""
        return await upkeep.stop(folder_of(settings, endpoint))

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """New host, router and replicas, one after the other."""
        await upkeep.restart(folder_of(settings, endpoint), note)

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """Envoy, then each endpoint's key, port and host."""
        return doctor.examinations(settings, spec_of, lambda one: folder_of(one, endpoint_name(one)))


def _lines(host: HostStatus) -> Iterable[str]:
    """The host in words."""
    where = f"{host.url}  process {host.pid}" if host.alive else f"not running: {host.why}"
    if host.alive and host.started_at is not None:
        where += f"  up {span(time.time() - host.started_at)}"
    yield f"host     {where}"
    if host.alive and (warning := exposed(urlsplit(host.url).hostname or "", read_key(host.folder))):
        yield f"warning  {warning}"


KIND = LocalKind()
