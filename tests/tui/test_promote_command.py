"""`quarterdeck promote` and who may let traffic move: what is asked before anything begins."""

import io
from pathlib import Path

import pytest

from core.config.config import load
from core.config.planner import Wishes, consent
from core.config.scaffold import init
from core.config.settings import Settings
from core.domain.errors import BadInput, Refused
from core.domain.model import Observation, Version
from core.engine.project import Project
from core.state.endpoint import Endpoint
from core.state.snapshot import Snapshot
from tests.environments import V1, V2
from tui.plan_command import FAILS, lines_of, plan, planned
from tui.promote_command import wishes_for
from tui.release_command import can_answer, waits_s

BY_HAND = 'release.plan=["shift 10", "ask all?", "shift 100"]'


def project(folder: Path, env: str, *sets: str) -> Project:
    path = folder / "p" / "quarterdeck.yaml"
    return Project(path if path.exists() else init(folder / "p", "iris"), env, sets)


def serves(**versions: Version) -> Snapshot:
    found = {}
    for environment, version in versions.items():
        name = "iris" if environment == "prod" else f"iris-{environment}"
        found[name] = Endpoint(name, slots={"blue": Observation("blue", version, 2, 2, 100.0)})
    return Snapshot(endpoints=found)


def test_a_version_goes_from_one_environment_to_the_next(tmp_path: Path) -> None:
    # Nothing measured it here: it is fetched and judged like any other.
    to_staging = wishes_for(project(tmp_path, "staging"), None, Wishes(), serves(dev=V2))
    assert (to_staging.model_uri, to_staging.version) == (V2.uri, None)
    with pytest.raises(Refused, match="iris-staging serves nothing"):
        wishes_for(project(tmp_path, "prod"), None, Wishes(), serves(dev=V2))
    with pytest.raises(Refused, match="iris serves v2 already"):
        wishes_for(project(tmp_path, "prod"), None, Wishes(), serves(staging=V2, prod=V2))
    assert wishes_for(project(tmp_path, "prod"), None, Wishes(), serves(staging=V2, prod=V1)).model_uri == V2.uri
    with pytest.raises(BadInput, match="--to dev: nothing comes before it"):
        wishes_for(project(tmp_path, "dev"), None, Wishes(), serves(dev=V2))


def test_an_endpoint_that_was_named_for_once_has_nothing_to_promote(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="other-dev serves nothing that could be promoted; release to dev first"):
        wishes_for(project(tmp_path, "staging", "endpoint.name=other"), None, Wishes(), serves(dev=V2))


def test_the_config_may_say_where_versions_come_from(tmp_path: Path) -> None:
    past_staging = project(tmp_path, "prod", "promote.after=dev")
    assert wishes_for(past_staging, None, Wishes(), serves(dev=V2)).model_uri == V2.uri
    anywhere = project(tmp_path, "prod", "promote.after=anywhere")
    with pytest.raises(BadInput, match="name the version"):
        wishes_for(anywhere, None, Wishes(), serves(dev=V2))
    with pytest.raises(Refused, match="no release here was of v9"):
        wishes_for(anywhere, "v9", Wishes(), serves(dev=V2))


def asking(tmp_path: Path, env: str = "prod", *sets: str) -> Settings:
    return load(init(tmp_path / "q", "iris"), env, sets, environ={})


def test_production_moves_no_traffic_without_consent(tmp_path: Path) -> None:
    settings = asking(tmp_path, "prod", "approve=person")
    ways = "name it with --confirm prod, or set 'approve: ci' under environments.prod"
    with pytest.raises(Refused, match=f"--auto-approve alone moves no traffic there: {ways}"):
        consent(settings, Wishes(auto_approve=True), somebody=True)
    with pytest.raises(Refused, match=f"nobody can be asked here: {ways}"):
        consent(settings, Wishes(), somebody=False)
    consent(settings, Wishes(), somebody=True)
    consent(settings, Wishes(confirmed=True), somebody=False)
    consent(settings, Wishes(skip=("deploy",)), somebody=False)


def test_a_question_written_into_the_plan_wants_somebody_who_can_be_asked(tmp_path: Path) -> None:
    settings = asking(tmp_path, "dev", BY_HAND)
    with pytest.raises(Refused, match=r"release.plan asks a person, and nobody can be asked here: .* --auto-approve"):
        consent(settings, Wishes(), somebody=False)
    for wishes in (Wishes(auto_approve=True), Wishes(confirmed=True), Wishes(skip=("deploy",))):
        consent(settings, wishes, somebody=False)
    consent(settings, Wishes(), somebody=True)


def test_elsewhere_consent_can_be_given_beforehand(tmp_path: Path) -> None:
    settings = asking(tmp_path, "dev", "release.strategy=blue-green")
    with pytest.raises(Refused, match=r"dev asks a person.*or pass --auto-approve"):
        consent(settings, Wishes(), somebody=False)
    consent(settings, Wishes(auto_approve=True), somebody=False)


@pytest.mark.parametrize(
    ("answers", "attached", "asked"),
    [("answers: true", False, True), ("answers: false", False, False), ("answers: true", True, False)],
)
def test_without_a_terminal_a_chat_is_asked_where_it_may_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: str, attached: bool, asked: bool
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    path = init(tmp_path / "q", "iris")
    told = f"receivers: {{ops: {{kind: slack, url_env: HOOK, {answers}}}}}"
    path.write_text(f"{path.read_text()}\nalerts: {{answers: {{url: https://deck.example.org}}, {told}}}\n")
    assert can_answer(load(path, "prod", (), environ={}), attached) is asked
    assert waits_s(load(path, "prod", (), environ={}), attached) == (3600.0 if asked else 0.0)


def test_whoever_owns_the_file_may_let_ci_do_it(tmp_path: Path) -> None:
    # The samples do.
    settings = asking(tmp_path)
    assert settings.approve == "ci"
    consent(settings, Wishes(), somebody=False)


async def test_a_plan_says_what_would_be_done_and_changes_nothing(tmp_path: Path) -> None:
    given = project(tmp_path, "prod", "release.retire_after_s=2h", "approve=person")
    lines = await lines_of(given, Wishes())
    assert (
        lines[0] == "iris · prod · production · all-at-once · nothing serves yet, so that it takes all traffic at once"
    )
    said = "\n".join(lines)
    assert "ask       a person: users' traffic in prod to the new version?" in said
    assert "replicas, ready within" in said
    assert "what served before" not in said
    assert "the next one: canary 0 → 10 → 50 → 100 %" in said
    assert "approved by: a person, or --confirm by name" in said
    with pytest.raises(BadInput, match=r"release\.plan"):
        await lines_of(project(tmp_path, "prod", 'release.plan=["hold 1m", "shift 100"]'), Wishes())


@pytest.mark.parametrize(
    ("env", "sets", "said"),
    [
        ("prod", (), "answered by the yaml's 'approve: ci': users' traffic in prod to the new version?"),
        ("prod", ("approve=person",), "a person: users' traffic in prod to the new version?"),
        ("dev", (BY_HAND,), "a person: all?"),
        ("dev", (BY_HAND, "approve=ci"), "answered by the yaml's 'approve: ci': all?"),
    ],
)
def test_a_plan_says_who_answers_its_question(tmp_path: Path, env: str, sets: tuple[str, ...], said: str) -> None:
    settings = project(tmp_path, env, *sets).settings
    _, lines = planned(settings, serves(**{env: V1}), Wishes())
    assert [line.split(" ask ")[1].strip() for line in lines if " ask " in line][-1:] == [said]


async def test_a_plan_of_what_would_fail_says_why_and_ends_with_1(tmp_path: Path) -> None:
    said: list[str] = []
    assert await plan(project(tmp_path, "dev"), Wishes(), said.append) == 0
    assert not any(line.startswith(FAILS) for line in said)
    gone = project(tmp_path, "dev", "data.source=rows.csv", "data.target=late")
    assert await plan(gone, Wishes(), said.append) == 1
    assert any(line.startswith(FAILS) and "rows.csv" in line for line in said)


async def test_a_plan_that_holds_nowhere_says_that_no_gate_is_asked(tmp_path: Path) -> None:
    unwatched = "no gate is asked: all-at-once holds nowhere; "
    lines = await lines_of(project(tmp_path, "dev"), Wishes())
    assert f"{unwatched}the load test and the alert rules look" in lines
    lines = await lines_of(project(tmp_path, "dev"), Wishes(skip=("load",)))
    assert f"{unwatched}the alert rules alone look" in lines
    by_hand = project(tmp_path, "dev", 'release.plan=["shift 10", "hold 1m", "shift 100"]')
    assert not any("no gate" in line for line in planned(by_hand.settings, serves(dev=V1), Wishes())[1])
