"""The real surroundings of one endpoint, put together from a project's settings."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.config import alias, endpoint_name, previous_alias, runs_folder, state_folder
from core.config.planner import background_profile
from core.config.settings import Settings
from core.domain.errors import Failed, QuarterdeckError
from core.domain.load_profile import LoadProfile, LoadSource
from core.domain.model import Version
from core.domain.sources import MetricSource, SourceAnswer
from core.elsewhere.kinds import KINDS
from core.engine import report, shell_variables
from core.engine.environment import Aliases
from core.engine.held_model import check_model
from core.engine.model_folders import ModelFolders
from core.engine.smoke import about, keep, rows_of, smoke
from core.load import child as load_child, shapes
from core.load.command import LocustSettings, answers, new_folder
from core.load.load import RunningLoad
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.targets.kinds import kind_of
from core.targets.protocol import Address, Target
from core.work import gate
from core.work.child import WorkChild
from core.work.job import Done, Job, OutputLine, Progress

if TYPE_CHECKING:
    from core.training.elsewhere import TrainingElsewhere

ROWS = "rows.jsonl"


async def _judge(
    settings: Settings, measured: Mapping[str, object], options: Mapping[str, object]
) -> AsyncIterator[Progress | OutputLine | Done]:
    """The gate over figures that a release before this one left: it reads numbers alone and needs no child."""
    lines: list[str] = [f"measured in {options.get('from')}, judged by what {settings.environment} asks"]
    candidate = options.get("candidate")
    done = gate.judged(settings, measured, candidate if isinstance(candidate, Mapping) else {}, lines.append)
    for line in lines:
        yield OutputLine(line)
    yield done


class ProjectEnvironment:
    """An `Environment`: its target, work child, Locust, smoke tests and report of one environment of a project."""

    def __init__(self, settings: Settings, variables_of: object = None) -> None:
        """With the variables that were kept under a release's name; without one, with this process's own."""
        environ = None if variables_of is None else shell_variables.environ(settings, variables_of)
        self._variables_of = variables_of
        self._kept_ns = shell_variables.written_ns(settings, variables_of)
        self.settings = settings
        self.endpoint = endpoint_name(settings)
        self.environment: str = settings.environment
        self.production = settings.production
        self.aliases = Aliases(alias(settings), previous_alias(settings))
        self.background: LoadProfile | None = background_profile(settings)
        self._environ = os.environ if environ is None else environ
        self.kind = settings.where
        self._work = WorkChild(settings, environ)
        self._models = ModelFolders(settings, environ)
        self._target = kind_of(settings.target).opened(settings, self._models.of, environ)
        self._warming: asyncio.Task[None] | None = None
        self._elsewhere: TrainingElsewhere | None = None

    def target(self, token: int) -> Target:
        """The endpoint in the place that the settings name."""
        return self._target(token)

    def lacks(self) -> str:
        """By the variables that were kept, as they are now."""
        return shell_variables.lacking(self.settings, self._variables_of)

    def outdated(self) -> bool:
        """Whether they were written anew; where they are gone nothing better is known."""
        return shell_variables.written_ns(self.settings, self._variables_of) not in (None, self._kept_ns)

    def warm(self) -> None:
        """Start the work child, so that its imports are done when it is needed."""
        self._warming = asyncio.create_task(self._work.start(), name="warm the work child")

    def model_folder(self, version: Version) -> Path:
        """Where the version lies once it was registered or fetched here."""
        return self._models.place(version)

    def _folder(self, release: str) -> Path:
        return state_folder(self.settings) / "work" / release

    def work(
        self, release: Release, name: str, options: Mapping[str, object]
    ) -> AsyncIterator[Progress | OutputLine | Done]:
        """One step in the work child, by the settings that the release began with."""
        dumped = release.options.get("settings")
        settings = self.settings
        if isinstance(dumped, str):
            settings = Settings.from_dump(dumped).model_copy(update={"folder": self.settings.folder})
        if name == "gate" and isinstance(measured := options.get("measured"), Mapping):
            return _judge(settings, measured, options)
        job = Job(name, self._folder(release.id), settings, release.id, options)
        if name == "train" and settings.train.on != "local":
            return self._training().run(job)
        return self._work.run(job)

    def _training(self) -> "TrainingElsewhere":
        """Whoever trains elsewhere, made when it is needed: what speaks HTTP takes a tenth of a second to load."""
        if self._elsewhere is None:
            from core.training.elsewhere import TrainingElsewhere  # noqa: PLC0415

            self._elsewhere = TrainingElsewhere(self.settings, self.endpoint, self._environ, self._work)
        return self._elsewhere

    async def cancel_work(self, wanted: bool = False) -> None:
        """Kill the child; what nobody wants ends elsewhere too."""
        await self._work.cancel()
        if not wanted and self.settings.train.on != "local":
            self._training().let_go()

    async def load(
        self,
        profile: LoadProfile,
        kind: str,
        address: Address,
        version: Version | None,
        source: LoadSource,
        live: Version | None = None,
    ) -> RunningLoad:
        """Locust over the project's held-out rows, or over its own locustfile; or one that runs already."""
        if source.attach:
            # What speaks HTTP takes a tenth of a second to load; few follow a load of somebody else's.
            from core.load.attached import Attached  # noqa: PLC0415

            return await Attached(source.attach).__aenter__()
        load = self.settings.load
        await answers(address.url)
        folder = new_folder(runs_folder(self.settings) / "load", f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}")
        rows = None if version is None else self.model_folder(version) / ROWS
        if version is not None and live is not None:
            new, now = self.model_folder(version), self.model_folder(live)
            rows = await asyncio.to_thread(shapes.write, new, now, ROWS, folder / ROWS)
        # A load by hand says all that it needs: what its release began with may be long out of date.
        named = source.locustfile or ("" if source.processes else load.locustfile)
        own = self.settings.folder / named if named else None
        settings = LocustSettings(
            url=address.url,
            folder=folder,
            rows=rows,
            locustfile=None if kind == "background" else own,
            key=address.key,
            processes=source.processes or load.processes,
            web=(source.web or (load.web and not source.processes)) and kind != "background",
        )
        return await load_child.start(profile, settings)

    async def gauge(self, source: MetricSource) -> SourceAnswer:
        """Asked as its kind is, with the token that its variable holds."""
        token = self._environ.get(source.token_env, "").strip() if source.token_env else ""
        if source.token_env and not token:
            raise Failed(f"the variable {source.token_env} was not set where the release was begun")
        try:
            ca = str(self.settings.folder / source.ca) if source.ca else ""
            return await KINDS[source.kind].ask(replace(source, ca=ca), token)
        except QuarterdeckError as error:
            # Whoever is asked may say the token back.
            raise Failed(str(error).replace(token, "***") if token else str(error)) from None

    async def smoke(self, release: Release, address: Address, checks: int) -> str:
        """Rows that the model was not trained on, to the new slot alone."""
        if release.version is None:
            raise Failed("there is no version to try")
        folder = self.model_folder(release.version)
        result = await smoke(address, rows_of(folder / ROWS, checks), release.version, checks)
        limits = self.settings.release.smoke_limits
        keep(result.figures(limits), self._folder(release.id))
        # Before the answers are judged: another model's may be wrong for this reason alone.
        await check_model(await about(address), release.version, folder)
        if problems := result.problems(limits):
            raise Failed("; ".join(problems))
        return f"{result.ok} of {checks}"

    async def report(self, snapshot: Snapshot, release: Release) -> Path:
        """The run folder of a release, which nobody trains for any more."""
        if self.settings.train.on != "local":
            self._training().let_go(release.id)
        model = None if release.version is None else self.model_folder(release.version)
        folder = runs_folder(self.settings) / release.id
        return await asyncio.to_thread(report.write, snapshot, release, folder, model, self._folder(release.id))

    async def close(self) -> None:
        """End the children."""
        if self._warming is not None:
            self._warming.cancel()
        if self._elsewhere is not None:
            await self._elsewhere.close()
        await self._models.close()
        await self._work.close()
