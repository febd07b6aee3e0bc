"""Two endpoints of one project, released by the real command: nobody alone ahead, all back by one key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.state import events as ev
from tests.story.shop import Shop, quarterdeck

NAMES = ("flowers-dev", "petals-dev")
QUICK = (
    *("--env", "dev", "--skip", "check", "--set", "train.n_iter=2", "--set", "train.cv_folds=2"),
    *("--set", "release.hold_s=0", "--set", "release.gates=[]", "--set", "release.background.users=0"),
)
ENDPOINTS = "\nendpoints:\n  flowers: {}\n  petals: {data: {drop: [sepal_length]}}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Both serve their first version."""
    made = Shop(tmp_path_factory.mktemp("two") / "shop", "flowers", "species", QUICK)
    assert quarterdeck("init", str(made.folder), "--sample", "iris", cwd=made.folder.parent).code == 0
    path = made.folder / "quarterdeck.yaml"
    named = re.sub(r"\n  name: iris[^\n]*", "", path.read_text()).replace("replicas: 2", "replicas: 1")
    path.write_text(named + ENDPOINTS)
    told = made.release()
    try:
        assert told.code == 0, told.out + told.err
        yield made
    finally:
        made.down()


def weights(shop: Shop) -> list[dict[str, float]]:
    """Who has how much traffic, by the journal."""
    known = shop.snapshot()
    slots = [known.endpoint(name).slots for name in NAMES]
    return [{seen.slot: seen.weight for seen in own.values() if seen.weight} for own in slots]


def outcomes(shop: Shop) -> list[ev.Outcome | None]:
    known = shop.snapshot()
    newest = [known.release_of(name) for name in NAMES]
    return [one.outcome if one is not None else None for one in newest]


def test_one_that_fails_its_smoke_test_moves_nobodys_traffic(shop: Shop) -> None:
    path: Path = shop.folder / "quarterdeck.yaml"
    before = path.read_text()
    hard = "{data: {drop: [sepal_length]}, release: {smoke_limits: {p50_ms: 0.001}}}"
    path.write_text(before.replace("{data: {drop: [sepal_length]}}", hard))
    told = shop.release("--skip", "train")
    path.write_text(before)
    assert told.code == 1, told.out + told.err
    assert outcomes(shop) == [ev.Outcome.FAILED] * 2
    assert weights(shop) == [{"blue": 100.0}] * 2
    assert "failed: flowers v1 on flowers-dev: with petals-dev: smoke: " in told.out


def test_they_come_to_all_traffic_together_and_back_by_one_key(shop: Shop) -> None:
    told = shop.release("--skip", "train")
    assert told.code == 0, told.out + told.err
    assert weights(shop) == [{"green": 100.0}] * 2
    told = shop.run("rollback", "--env", "dev", "--reason", "late answers")
    assert told.code == 0, told.out + told.err
    assert weights(shop) == [{"blue": 100.0}] * 2
    assert outcomes(shop) == [ev.Outcome.ROLLED_BACK] * 2
    back = [line for line in told.out.splitlines() if "after the key" in line]
    assert {line.split()[0] for line in back} == set(NAMES)
    assert "together with petals-dev" in shop.run("status").out
