"""`down`, `restart` and `down --to-minimum` where nothing of what is meant runs."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.domain.model import Observation
from core.engine.project import Project
from core.targets.fake.kind import KIND
from tests.environments import V1
from tui.minimum_command import to_minimum
from tui.upkeep_command import down, restart

SETTINGS = "target: fake\ndata: {source: iris, target: species}\nendpoint: {name: late}\n"


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        (down, "'quarterdeck down --env staging'"),
        (restart, "'quarterdeck restart'"),
        (to_minimum, "'quarterdeck down --to-minimum --env staging'"),
    ],
)
async def test_another_environment_that_runs_is_named_with_the_command_for_it(
    tmp_path: Path, verb: Callable[..., Awaitable[int]], typed: str
) -> None:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(SETTINGS)
    dev, staging = Project(path, "dev"), Project(path, "staging")
    said: list[str] = []
    assert await verb(dev, said.append) == 0
    assert said.pop() == "nothing runs here"
    KIND.place(staging.settings, "late-staging").slots["blue"] = Observation("blue", V1, 1, 1, 100.0)
    assert await verb(dev, said.append) == 0
    assert said == [f"nothing runs in dev; late-staging does in staging: {typed}"]
