"""`quarterdeck doctor`: everything that is looked at, for one project or for a folder without one.

First the settings and the journal, on which the rest depends, then all the rest at once. It changes nothing, starts
nothing that stays, and takes as long as its slowest examination: `LONGEST_S` at the most.
"""

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from core.config.config import ENVIRONMENTS, FILE, endpoint_name, state_folder
from core.config.settings import Settings
from core.doctor import files, machine, packages, past, registry, rows, served, steering
from core.doctor.examine import examine
from core.domain.diagnosis import Diagnoses, Diagnosis, Examination, looking, ok, warn
from core.engine.project import JOURNAL, Project
from core.targets.kinds import DEFAULT, kind_of
from core.watch.client import WatchClient
from core.watch.place import WatchPlace

READ_S = 20.0
LONGEST_S = 2 * READ_S + registry.OPENS_S
Endpoints = Mapping[str, Settings]


async def doctor(project: Project) -> list[Diagnosis]:
    """Every line, in the order in which people read them."""
    config = _Read(project)
    lines = await examine([looking("config", config.look)])
    if not config.endpoints:
        folder = _nearest(project.config or Path())
        return [*lines, *await examine([*_machine(folder), *kind_of(DEFAULT).doctor(())])]
    journal = _Journal(state_folder(project.settings) / JOURNAL, config.endpoints)
    lines += await examine([looking("journal", journal.look, within_s=READ_S)])
    return [*lines, *await examine(_examinations(project, config, journal.known))]


class _Read:
    """The settings of every environment, once they could be read."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.endpoints: Endpoints = {}
        self.chosen: Endpoints = {}

    def look(self) -> Diagnoses:
        """Raises BadInput with the line that is wrong, in whichever environment."""
        project = self._project
        if project.config is None and not Path(FILE).exists():
            return [warn(f"no {FILE} in {Path.cwd()}: only the machine is looked at", "quarterdeck init DIR")]
        endpoints = project.by_endpoint()
        several = [one.settings for one in project.together]
        self.endpoints, self.chosen = endpoints, {endpoint_name(one): one for one in several}
        names = ", ".join(one.endpoint.name for one in several)
        return [ok(f"{project.path}: {names}; {', '.join(ENVIRONMENTS)} can be read")]


class _Journal:
    """What happened, once it could be read."""

    def __init__(self, path: Path, endpoints: Endpoints) -> None:
        self._path, self._endpoints = path, endpoints
        self.known = past.KnownPast()

    def look(self) -> Diagnoses:
        """Raises JournalError."""
        found = past.whole(self._path)
        self.known = past.read(self._path, self._endpoints)
        return found


def _machine(folder: Path) -> list[Examination]:
    return [*packages.examinations(), *machine.examinations(folder)]


def _nearest(path: Path) -> Path:
    """The path, or the folder above it that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def _examinations(project: Project, config: _Read, known: past.KnownPast) -> list[Examination]:
    meant = dict(config.chosen)
    if project.env is None:
        named = project.meant
        served_too = steering.served(known, config.endpoints)
        meant |= {name: config.endpoints[name] for name in served_too if not named or name in named}
    several, first = list(meant.values()), project.settings
    state = state_folder(first)
    kinds = sorted({kind for one in several for kind in one.places})
    some = any(known.snapshot.endpoint(name).served for name in meant)
    client = WatchClient(WatchPlace(project.path))
    return [
        *_machine(first.folder),
        looking("files", lambda: list(files.owners(project.path, state, os.geteuid())), within_s=READ_S),
        looking("clock", lambda: past.clock(known, time.time())),
        *rows.examinations(several),
        *registry.examinations(several, some),
        Examination("watch", lambda: steering.watch(client, known)),
        looking("lease", lambda: steering.leases(known, meant)),
        *(one for kind in kinds for one in kind_of(kind).doctor([one for one in several if kind in one.places])),
        *(one for name in meant for one in served.examinations(meant[name], known.snapshot.endpoint(name))),
        *(looking("drill", partial(steering.drill, known, of), name) for name, of in meant.items()),
    ]
