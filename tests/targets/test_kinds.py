"""A target is one folder that registers itself; the fake one shows that this is enough."""

from pathlib import Path

import pytest
import yaml

from core.config.config import load
from core.config.planner import Wishes, release_of
from core.config.settings import Settings
from core.config.targets import target_names, target_parts
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput
from core.domain.model import Version
from core.domain.plan import Deploy, Mirror, Shift
from core.targets.kinds import kind_of, standing

ONE = Version("late", "1", "run1", "models:/late/1", "d1")


def project(folder: Path, **more: object) -> Path:
    said = {"data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}}
    (folder / "quarterdeck.yaml").write_text(yaml.safe_dump({**said, **more}))
    return folder / "quarterdeck.yaml"


def of(folder: Path, **more: object) -> Settings:
    return load(project(folder, **more))


def test_every_folder_with_settings_is_a_target() -> None:
    folders = {found.parent.name for found in Path("core/targets").glob("*/kind.py")}
    assert set(target_names()) == folders == set(target_parts())
    for name in target_names():
        assert callable(kind_of(name).opened)
        # What a machine must have for it, without any endpoint.
        assert all(isinstance(one, Examination) for one in kind_of(name).doctor(()))


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"target": "fakee"}, "quarterdeck.yaml: target: 'fakee' is none of .*; did you mean fake?"),
        ({"target": "fake", "fake": {"lates": 1.0}}, "quarterdeck.yaml: fake.lates: unknown key; did you mean late_s?"),
        ({"fake": {"late_s": "soon"}}, "quarterdeck.yaml: fake.late_s: .*soon"),
        ({"target": 3}, "quarterdeck.yaml: target: 3 should be text"),
        (
            {"environments": {"prod": {"target": "fake", "fake": {"misses_by": 200.0}}}},
            "quarterdeck.yaml: environments.prod.fake.misses_by: 200.0 should be at most 100",
        ),
    ],
)
def test_a_slip_in_what_a_target_takes_is_one_line_with_its_place(
    tmp_path: Path, more: dict[str, object], line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        of(tmp_path, **more)


def test_an_environment_has_a_place_of_its_own(tmp_path: Path) -> None:
    config = project(tmp_path, environments={"prod": {"target": "fake", "fake": {"late_s": "2s"}}})
    assert (load(config, "dev").where, load(config, "prod").where) == ("local", "fake in memory")
    assert Settings.from_dump(load(config, "prod").dump()) == load(config, "prod")


def test_how_slow_and_how_exact_a_place_is_stands_in_the_plan(tmp_path: Path) -> None:
    slow = of(tmp_path, target="fake", fake={"late_s": "1m", "misses_by": 2.0})
    begin = release_of(slow, False, Wishes())
    usual = release_of(of(tmp_path), False, Wishes()).plan
    assert begin.target == "fake in memory"
    assert begin.plan.tolerance == 2.0
    assert begin.plan.patience.back_s == 1200.0 > usual.patience.back_s
    assert {step.deadline_s for step in begin.plan.steps if isinstance(step, Shift)} == {1200.0}
    deadlines = [step.deadline_s for step in (*begin.plan.steps, *usual.steps) if isinstance(step, Deploy)]
    assert deadlines == [1230.0, 40.0]


@pytest.mark.parametrize(
    ("strategy", "why"),
    [("canary", "prod: .*10 % can't be moved; use blue-green"), ("shadow", "prod: .*no request can be copied")],
)
def test_a_step_that_the_place_cannot_do_is_refused_before_anything_is_done(
    tmp_path: Path, strategy: str, why: str
) -> None:
    whole = {"target": "fake", "fake": {"split": False}, "release": {"strategy": strategy}, "environment": "prod"}
    with pytest.raises(BadInput, match=why):
        release_of(of(tmp_path, **whole), False, Wishes())
    begin = release_of(of(tmp_path, **{**whole, "release": {"strategy": "blue-green"}}), False, Wishes())
    assert not any(isinstance(step, Mirror) for step in begin.plan.steps)


async def test_what_a_kind_opens_stands_there_until_it_is_stopped(tmp_path: Path) -> None:
    settings = of(tmp_path, target="fake")
    kind = kind_of("fake")

    async def models(version: Version) -> Path:
        return tmp_path

    target = kind.opened(settings, models, None)(1)
    try:
        await target.apply("blue", ONE, 2)
        [place] = await standing(tmp_path, [settings])
        assert (place.endpoint, place.kind) == ("late-dev", "fake")
        assert [(seen.slot, seen.version) for seen in place.slots] == [("blue", ONE)]
    finally:
        await target.close()
    assert await kind.stop(settings, "late-dev")
    assert await standing(tmp_path, [settings]) == []
    assert not await kind.stop(settings, "late-dev")
