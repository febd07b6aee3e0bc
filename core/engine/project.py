"""The endpoints of a project: for each the surroundings that its settings, or its release's, ask for."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.config.config import ENVIRONMENTS, FILE, endpoint_name, endpoints, endpoints_meant, find, load, state_folder
from core.config.settings import Settings
from core.domain.errors import BadInput, Busy, Failed, Refused
from core.domain.hints import typed
from core.engine import shell_variables
from core.engine.engine import Engine, Steering
from core.engine.environment import Environment
from core.engine.named_files import gone
from core.engine.project_environment import ProjectEnvironment
from core.engine.relocate import settle
from core.journal.database import WAIT_S
from core.journal.journal import Journal, me
from core.state.events import Result
from core.system.log_files import make_room
from core.system.suggest import did_you_mean
from core.work.child import WorkChild
from core.work.job import Job

JOURNAL = "journal.db"
LOOK_S = 60.0
LOG = "quarterdeck.log"
READ_ONLY = "read-only by its settings; nothing can be asked until read_only is false in quarterdeck.yaml"


def log_to(path: Path) -> None:
    """Tracebacks go to a file, never to a user; the file is made with the first of them."""
    log = logging.getLogger("quarterdeck")
    if not log.handlers:
        with contextlib.suppress(OSError):
            make_room(path)
        handler = logging.FileHandler(path, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.propagate = False
        # A log that can't be written is no reason to print a traceback.
        logging.raiseExceptions = False


def _apart(several: Sequence[Settings]) -> None:
    """Raise BadInput where endpoints that are released as one would get into each other's way."""
    for at, one in enumerate(several):
        for other in several[:at]:
            names = f"{other.endpoint.name} and {one.endpoint.name}"
            if one.model == other.model:
                raise BadInput(
                    f"endpoints: {names} are both of model {one.model}; leave 'model' out, or set it for each"
                )
            if one.endpoint.port and one.endpoint.port == other.endpoint.port:
                raise BadInput(f"endpoints: {names} both want port {one.endpoint.port}; set endpoint.port for each")


@dataclass(slots=True)
class Project:
    """One quarterdeck.yaml and the flags that were given with it."""

    config: Path | None = None
    env: str | None = None
    sets: Sequence[str] = ()
    input_data: Path | None = None
    notice: str = ""
    _known: dict[str, Settings] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Of the environment that was chosen; raises BadInput."""
        if "" not in self._known:
            self._known[""] = load(self.config, self.env, self.sets, self.input_data)
        return self._known[""]

    @property
    def path(self) -> Path:
        """Where its quarterdeck.yaml lies; raises BadInput."""
        return find(self.config)

    @property
    def path_is_there(self) -> bool:
        """Whether the folder that it was read from still holds it."""
        return (self.settings.folder / FILE).is_file() or (self.config is not None and self.config.is_file())

    def by_endpoint(self) -> dict[str, Settings]:
        """The settings of each endpoint in each environment, by its name there."""
        found = {}
        for env in ENVIRONMENTS:
            for name in endpoints(self.config) or ("",):
                chosen = env == self.settings.environment and name in ("", self.settings.endpoint.name)
                settings = self.settings if chosen else load(self.config, env, endpoint=name)
                found[endpoint_name(settings)] = settings
        return found

    def typed(self, words: str, own: Settings | None = None) -> str:
        """A command as it must be typed to mean an endpoint of this project, the chosen one where none is named."""
        known = self.settings if own is None else own
        endpoint = known.endpoint.name if len(endpoints(self.config)) > 1 else ""
        return typed(words, known.environment, known.production, endpoint)

    def of_endpoint(self, name: str) -> "Project":
        """The same for the endpoint that is named; raises BadInput where there is none of that name."""
        names = endpoints(self.config)
        if name not in (names or (self.settings.endpoint.name,)):
            there = f"is none of {', '.join(names)}" if names else f"there is one, {self.settings.endpoint.name}"
            raise BadInput(f"--endpoint {name}: {there}{did_you_mean(name, names)}")
        return replace(self, sets=(*self.sets, f"endpoint.name={json.dumps(name)}"), _known={}) if names else self

    @property
    def meant(self) -> frozenset[str]:
        """What `--env` and `--endpoint` leave, by the names there; empty where neither was given, and all is meant."""
        chosen = endpoints_meant(self.config, self.sets)
        if not self.env and len(chosen) == len(endpoints(self.config)):
            return frozenset()
        own = {name: one for name, one in self.by_endpoint().items() if self.env in (None, one.environment)}
        return frozenset(name for name, one in own.items() if not chosen or one.endpoint.name in chosen)

    @property
    def together(self) -> tuple["Project", ...]:
        """Itself for each endpoint that is meant where several are, to be released as one; raises BadInput."""
        names = endpoints_meant(self.config, self.sets)
        if len(names) < 2:
            return (self,)
        made = tuple(replace(self, sets=(*self.sets, f"endpoint.name={json.dumps(name)}"), _known={}) for name in names)
        _apart([project.settings for project in made])
        return made

    @property
    def read_only(self) -> bool:
        """Whether nothing can be asked of the environment that was named, or of any where none was."""
        meant = [self.settings] if self.env else self.by_endpoint().values()
        return all(settings.read_only for settings in meant)

    def refusal(self, endpoint: str) -> str:
        """Why nothing may be asked of an endpoint, by the file as it is now; empty where it may."""
        try:
            # The file may have been changed since a long-lived process read it; the flags were given to this one.
            names = {name: one.environment for name, one in self.by_endpoint().items()}
            known = [names[endpoint]] if endpoint in names else list(names.values())
            own = {env: load(self.config, env, self.sets if env == self.settings.environment else ()) for env in known}
        except BadInput:
            # A slip in the file must not stand in the way of a way back.
            own = {self.settings.environment: self.settings}
        locked = [env for env, settings in own.items() if settings.read_only]
        return f"{locked[0]}: {READ_ONLY}" if locked else ""

    def began(self, options: Result) -> Settings | None:
        """The settings that a release began with; None where it kept none."""
        dumped = options.get("settings")
        if not isinstance(dumped, str):
            return None
        # The project may have been moved since.
        return Settings.from_dump(dumped).model_copy(update={"folder": self.settings.folder})

    def environment_of(self, endpoint: str, options: Result) -> Environment:
        """What is around an endpoint: as its release began it, else as the project says now."""
        began = self.began(options)
        if began is not None:
            return ProjectEnvironment(began, options.get(shell_variables.NAME, ""))
        settings = self.by_endpoint().get(endpoint)
        if settings is None:
            raise Refused(f"{endpoint}: no environment of this project serves it")
        return ProjectEnvironment(settings)

    def lend(self, options: Result) -> Mapping[str, str]:
        """A release that names files that are gone gets this shell's variables for them; told is what they named."""
        name = options.get(shell_variables.NAME, "")
        # Before anything is read that takes time: a way back waits for this.
        if not gone(shell_variables.kept(state_folder(self.settings), name) or {}):
            return {}
        began = self.began(options)
        return {} if began is None else shell_variables.lend(began, name)

    async def look(self, uri: str) -> None:
        """Ask the registry whether a model can be released; raises BadInput or Failed, which say why not.

        A version that was served here before is known.
        """
        _, _, name = uri.partition("models:/")
        if (state_folder(self.settings) / "models" / name.replace("/", "-") / "model.json").is_file():
            return
        child = WorkChild(self.settings)
        job = Job("look", state_folder(self.settings) / "work" / "look", self.settings, "", {"uri": uri})
        try:
            async with asyncio.timeout(LOOK_S):
                async for _ in child.run(job):
                    pass
        except TimeoutError:
            raise Failed(f"{uri}: the registry did not say within {LOOK_S:g} s whether it is there") from None
        finally:
            await child.close()

    def journal(self, wait_s: float = WAIT_S) -> Journal:
        """The project's journal; raises JournalError. From here on what breaks inside is told to a file beside it.

        `wait_s` is how long a write waits for another process's; an engine's waits elsewhere, off its loop.
        """
        log_to(state_folder(self.settings) / LOG)
        journal = Journal(state_folder(self.settings) / JOURNAL, wait_s=wait_s)
        try:
            # Where another process just writes, it has looked too.
            with contextlib.suppress(Busy):
                self.notice = settle(journal, self.settings.folder, me())
        except BaseException:
            journal.close()
            raise
        return journal

    def engine(
        self, journal: Journal, read_only: bool = False, steering: Steering | None = None, who: str | None = None
    ) -> Engine:
        """The engine over this project. With `steering` another process drives what is asked for here.

        `who` is a process that acts by itself, as the watch does: settings that are read-only refuse people alone.
        """
        if who is not None:
            return Engine(journal, self.environment_of, who, read_only, steering)
        return Engine(journal, self.environment_of, me(), read_only, steering, self.refusal, self.lend)
