"""One project with a released version, made by a real child once for all tests here."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.config.settings import Settings
from core.work.child import Done, Job, OutputLine, Progress, WorkChild

STEPS = ("data", "preprocess", "train", "evaluate", "gate", "register", "check")


def settings(folder: Path, **changes: Any) -> Settings:
    """Iris in production, as small as it goes; changes replace whole sections."""
    values: dict[str, Any] = {
        "folder": str(folder),
        "environment": "prod",
        "production": True,
        "data": {"source": "iris", "target": "species"},
        "train": {"n_iter": 2, "cv_folds": 2},
        "thresholds": {"max_regression_percent": 10.0, "min_accuracy": 0.8},
        "endpoint": {"name": "iris"},
    }
    return Settings.model_validate_json(json.dumps(values | changes))


@dataclass
class Worked:
    """What a step said, and what came of it."""

    lines: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    done: Done | None = None

    @property
    def result(self) -> Mapping[str, Any]:
        """What the step found."""
        assert self.done is not None
        return self.done.result


async def work(child: WorkChild, job: Job) -> Worked:
    """Run one step to its end."""
    worked = Worked()
    async for said in child.run(job):
        match said:
            case OutputLine(text):
                worked.lines.append(text)
            case Progress():
                worked.progress.append(said)
            case Done():
                worked.done = said
    return worked


@dataclass(frozen=True)
class Project:
    """A project after its first release."""

    settings: Settings
    folder: Path
    worked: Mapping[str, Worked]

    def job(self, step: str, folder: Path | None = None, **options: Any) -> Job:
        """A step of this release, or in another folder."""
        return Job(step, folder or self.folder, self.settings, "r1", options)


async def release(child: WorkChild, settings: Settings, steps: tuple[str, ...] = STEPS, name: str = "r1") -> Project:
    """The steps one after another."""
    folder = settings.folder / ".quarterdeck" / "work" / name
    worked = {step: await work(child, Job(step, folder, settings, name)) for step in steps}
    return Project(settings, folder, worked)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def child() -> AsyncIterator[WorkChild]:
    """One for all tests that need no other: each costs its imports."""
    one = WorkChild()
    yield one
    await one.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def iris(child: WorkChild, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Iris, released once: version 1 has the alias candidate."""
    return await release(child, settings(tmp_path_factory.mktemp("iris")))


@pytest.fixture
def odd() -> Iterator[WorkChild]:
    """A child with odd steps."""
    child = WorkChild()
    child.module = "tests.work.odd"
    yield child
    assert child.pid is None, "the test must close its child"
