"""What alerts need of each environment, by endpoint: read again when the file has changed."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.config.alerts import AlertSettings
from core.config.config import endpoint_name
from core.domain.errors import BadInput
from core.engine.engine import Engine
from core.engine.project import Project
from core.watch.probe import Probe, probe_of

log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class AlertScope:
    """What alerts need to know of one environment; `probe` asks its endpoint as a caller would."""

    environment: str
    production: bool
    alerts: AlertSettings
    probe: Probe | None = None


Scopes = Callable[[], Mapping[str, AlertScope]]


class ProjectScopes:
    """Of one project. A slip in the file leaves what was read before."""

    def __init__(self, project: Project, engine: Engine) -> None:
        self._path = project.path
        self._engine = engine
        self._read_at = 0
        self._known: Mapping[str, AlertScope] = {}

    def __call__(self) -> Mapping[str, AlertScope]:
        """The environments' scopes by their endpoints' names."""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._read_at:
                self._read_at = stamp
                self._known = self._read()
        except OSError:
            return {}
        except BadInput as error:
            log.warning("alerts go on by what the file said before: %s", error)
        return self._known

    def _read(self) -> Mapping[str, AlertScope]:
        found = {}
        for settings in Project(self._path).by_endpoint().values():
            name = endpoint_name(settings)
            probe = probe_of(settings, name, self._engine)
            found[name] = AlertScope(settings.environment, settings.production, settings.alerts, probe)
        return found
