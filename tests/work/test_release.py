"""A release of iris by a real child: what each step leaves, and that another child goes on from there."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadInput, Failed
from core.system.digests import changed
from core.work.child import Job, Progress, WorkChild
from tests.work.conftest import STEPS, Project, Worked, settings, work

PRODUCTION = {"alias": "production", "previous_alias": "previous"}

PYFUNC = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frame = pandas.read_json(sys.argv[3], lines=True)
likely = model.predict(frame, params={"probabilities": True})
answers = [each.item() if hasattr(each, "item") else each for each in model.predict(frame)]
print(json.dumps({"answers": answers, "columns": list(likely.columns),
                  "whole": bool((abs(likely.sum(axis=1) - 1) < 1e-6).all()), "ours": "core" in sys.modules}))
"""


in_one_loop = pytest.mark.asyncio(loop_scope="session")


def database(project: Project, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Straight from MLflow's tables."""
    with contextlib.closing(sqlite3.connect(project.settings.folder / ".quarterdeck" / "mlflow.db")) as db:
        return db.execute(query, values).fetchall()


def test_every_step_says_its_figure(iris: Project) -> None:
    figures = {step: worked.done.figure for step, worked in iris.worked.items() if worked.done}
    assert figures["data"] == "150 rows"
    assert figures["preprocess"] == "4 columns"
    assert figures["train"].startswith("f1 .")
    assert figures["evaluate"].startswith("f1 .")
    assert figures["gate"] == "3 of 3"
    assert figures["register"] == "v1"
    assert figures["check"] == "9 of 9"


def test_the_search_is_told_candidate_by_candidate(iris: Project) -> None:
    # A step that takes longer than a second repeats its last word with how long it has been.
    told = [each for each in iris.worked["train"].progress if ", for " not in each.text]
    assert [each.text for each in told[-2:]] == ["1 of 2", "2 of 2"]
    assert told[-1].figures.keys() == {"candidate", "best"}


def test_baseline_candidate_and_production_are_measured_on_the_same_rows(iris: Project) -> None:
    result = iris.worked["evaluate"].result
    assert result["rows"] == 30
    assert result["production"] is None
    assert result["production_absent"] == "no version of iris has the alias production yet"
    for name in ("candidate", "baseline"):
        assert sum(map(sum, result[name]["confusion"])) == 30
        assert result[name]["accuracy"] > 0.8
    assert 0 < result["against"]["baseline"]["p"] <= 1


def test_mlflow_holds_parameters_metrics_steps_and_tags(iris: Project) -> None:
    runs = dict(database(iris, "select name, run_uuid from runs where status = 'FINISHED'"))
    assert runs.keys() == {"r1", "baseline", "candidate"}
    assert database(iris, "select distinct e.name from experiments e join runs r using (experiment_id)") == [("iris",)]
    run = runs["candidate"]
    params = {key for (key,) in database(iris, "select key from params where run_uuid = ?", run)}
    assert {"n_estimators", "max_depth", "n_iter", "algorithm", "data_source"} <= params
    steps = "select step from metrics where key = 'cv_macro_f1' and run_uuid = ? order by step"
    assert database(iris, steps, run) == [(1,), (2,)]
    metrics = dict(database(iris, "select key, value from latest_metrics where run_uuid = ?", run))
    assert metrics["accuracy"] == iris.worked["evaluate"].result["candidate"]["accuracy"]
    tags = dict(database(iris, "select key, value from model_version_tags"))
    assert tags["release"] == "r1"
    assert tags["source_run"] == run
    assert tags["environment"] == "prod"
    assert tags["data_digest"] == iris.worked["data"].result["digest"]
    assert database(iris, "select alias, version from registered_model_aliases") == [("candidate", 1)]


def test_a_model_folder_lies_ready_for_the_local_target(iris: Project) -> None:
    result = iris.worked["register"].result
    folder = iris.settings.folder / ".quarterdeck" / "models" / "iris-1"
    assert Path(result["folder"]) == folder
    assert {path.name for path in folder.iterdir()} == {
        "model.json",
        "model.tl",
        "model.ubj",
        "rows.jsonl",
        "version.json",
    }
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["labels"] == ["setosa", "versicolor", "virginica"]
    assert list(manifest["example"]) == [field["name"] for field in manifest["fields"]]
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 30
    about = json.loads((folder / "version.json").read_text())
    assert changed(folder, about.pop("files")) == []
    assert about == {**result["version"], "registry": result["registry"]}
    assert result["version"]["uri"] == "models:/iris/1"


def test_the_registered_model_answers_raw_rows_anywhere(iris: Project, tmp_path: Path) -> None:
    uri = f"sqlite:///{iris.settings.folder}/.quarterdeck/mlflow.db"
    folder = Path(iris.worked["register"].result["folder"])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PYFUNC, uri, "models:/iris@candidate", str(folder / "rows.jsonl")],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    said: Mapping[str, Any] = json.loads(ended.stdout)
    assert set(said["answers"]) <= {"setosa", "versicolor", "virginica"}
    assert len(said["answers"]) == 30
    assert said["columns"] == ["setosa", "versicolor", "virginica"]
    assert (said["whole"], said["ours"]) == (True, False)


def test_nothing_is_written_outside_the_project(iris: Project) -> None:
    places = database(iris, "select artifact_location from logged_models union select artifact_uri from runs")
    inside = (iris.settings.folder / ".quarterdeck" / "mlartifacts").as_uri()
    assert len(places) == 5
    assert all(place.startswith(inside) for (place,) in places)


def test_the_log_has_what_was_said_and_no_chatter(iris: Project) -> None:
    log = (iris.folder / "work.log").read_text()
    assert "candidate 2 of 2" in log
    assert "Traceback" not in log
    for said in iris.worked.values():
        assert not [line for line in said.lines if "http" in line or "🏃" in line or "Warning" in line]


@in_one_loop
async def test_killed_in_training_another_child_goes_on(child: WorkChild, iris: Project, tmp_path: Path) -> None:
    again = settings(tmp_path, train={"n_iter": 40, "cv_folds": 2})
    folder = tmp_path / "r2"
    for step in ("data", "preprocess"):
        await work(child, Job(step, folder, again, "r2"))
    saying = child.run(Job("train", folder, again, "r2"))
    async for said in saying:
        if isinstance(said, Progress) and said.text == "3 of 40" and child.pid:
            os.kill(child.pid, signal.SIGKILL)
            break
    with pytest.raises(Failed, match="train: the work process ended, killed by SIGKILL"):
        _ = [said async for said in saying]
    assert not (folder / "train.json").exists()
    shorter = settings(tmp_path, train={"n_iter": 1, "cv_folds": 2})
    for step in ("train", "evaluate", "gate", "register"):
        worked = await work(child, Job(step, folder, shorter, "r2"))
    assert worked.result["version"]["number"] == "1"
    statuses = database(Project(again, folder, {}), "select status, count(*) from runs group by status")
    assert dict(statuses) == {"KILLED": 2, "FINISHED": 4}
    registered = await work(child, Job("register", folder, shorter, "r2"))
    assert registered.result["version"]["number"] == "1", "registering twice makes one version"


@in_one_loop
async def test_shuffled_labels_are_stopped_by_the_gate(child: WorkChild, iris: Project) -> None:
    spoilt = settings(iris.settings.folder, data={"source": "iris", "target": "species", "shuffle_labels": True})
    results: dict[str, Worked] = {}
    for step in ("data", "preprocess", "train", "evaluate", "gate"):
        results[step] = await work(child, Job(step, iris.folder.with_name("r3"), spoilt, "r3"))
    gate = results["gate"].result
    assert gate["passed"] is False
    failed = [verdict["metric"] for verdict in gate["verdicts"] if verdict["outcome"] == "FAIL"]
    assert "accuracy" in failed
    assert "accuracy" in gate["why"]


@in_one_loop
async def test_the_aliases_follow_and_come_back(child: WorkChild, iris: Project, tmp_path: Path) -> None:

    async def aliases(step: str, folder: Path, **options: Any) -> dict[str, int]:
        await work(child, iris.job(step, folder, **PRODUCTION, **options))
        return dict(database(iris, "select alias, version from registered_model_aliases"))

    for _ in range(2):
        assert await aliases("alias", tmp_path / "a", number="1") == {"candidate": 1, "production": 1}
    measured = await work(child, iris.job("evaluate"))
    live = measured.result
    assert live["production_version"]["number"] == "1"
    assert live["production"] == live["candidate"]
    assert live["against"]["production"] == {"better": 0, "worse": 0, "p": 1.0}

    second = await work(child, iris.job("train"))
    assert second.done
    registered = await work(child, iris.job("register"))
    assert registered.result["version"]["number"] == "2"
    moved = {"candidate": 2, "production": 2, "previous": 1}
    for _ in range(2):
        assert await aliases("alias", tmp_path / "b", number="2") == moved
    (tmp_path / "b" / "alias.json").unlink()
    assert await aliases("alias", tmp_path / "b", number="2") == moved
    # What serves is compared with, wherever the alias points.
    serving = await work(child, iris.job("evaluate", serving="models:/iris/1"))
    assert serving.result["production_version"]["number"] == "1"
    assert "production: @production points to v2, but v1 serves; compared with v1" in serving.lines
    gone = await work(child, iris.job("evaluate", serving="models:/iris/9"))
    assert gone.result["production"] is None
    assert "iris has no version 9" in gone.result["production_absent"]
    for found, others in (("2", ""), ("1", "")):
        back = await work(child, iris.job("restore", tmp_path / "b", **PRODUCTION, moved_to="2"))
        assert back.result["moved_by_others"] == others, found
    assert await aliases("restore", tmp_path / "b") == {"candidate": 2, "production": 1}
    assert await aliases("alias", tmp_path / "c", number="2") == moved
    back = await work(child, iris.job("restore", tmp_path / "c", **PRODUCTION, moved_to="7"))
    assert back.result["moved_by_others"] == "@production was at v2, not at v7: somebody else had moved it"
    assert await aliases("restore", tmp_path / "other", number="2") == {"candidate": 2, "production": 2}
    assert await aliases("restore", tmp_path / "nothing") == {"candidate": 2, "production": 2}
    assert await aliases("restore", tmp_path / "a") == {"candidate": 2}


@in_one_loop
async def test_a_registered_version_is_fetched_judged_and_checked(child: WorkChild, iris: Project) -> None:
    folder = iris.folder.with_name("skipped")
    await work(child, iris.job("data", folder))
    shutil.rmtree(iris.worked["register"].result["folder"])
    fetched = await work(child, iris.job("fetch", folder, uri="models:/iris/1"))
    assert fetched.result["version"]["run_id"]
    assert (Path(fetched.result["folder"]) / "rows.jsonl").is_file()
    assert (await work(child, iris.job("evaluate", folder))).result["baseline"]["accuracy"] > 0.8
    assert (await work(child, iris.job("gate", folder))).result["passed"]
    assert (await work(child, iris.job("check", folder))).done


@in_one_loop
async def test_a_damaged_folder_is_taken_from_the_registry_anew(
    child: WorkChild, iris: Project, tmp_path: Path
) -> None:
    folder = Path((await work(child, iris.job("fetch", tmp_path, uri="models:/iris/1"))).result["folder"])
    whole = (folder / "model.ubj").read_bytes()
    (folder / "model.ubj").write_bytes(b"half of it")
    fetched = await work(child, iris.job("fetch", tmp_path, uri="models:/iris/1"))
    assert any("will not load" in line and "from the registry anew" in line for line in fetched.lines)
    assert (folder / "model.ubj").read_bytes() == whole


@in_one_loop
async def test_a_version_can_be_checked_without_data(child: WorkChild, iris: Project, tmp_path: Path) -> None:
    await work(child, iris.job("fetch", tmp_path, uri="models:/iris/1"))
    checked = await work(child, iris.job("check", tmp_path))
    assert checked.done
    assert checked.done.figure == "6 of 6"


@pytest.mark.parametrize(
    ("uri", "kind", "says"),
    [
        ("models:/iris@nobody", Failed, "iris has no alias 'nobody' in sqlite"),
        ("models:/iris/99", Failed, "iris has no version 99 in sqlite"),
        ("models:/rose@candidate", Failed, "holds no model 'rose'"),
        ("models:/rose/1", Failed, "holds no model 'rose'"),
        ("iris", BadInput, r"write models:/NAME@ALIAS, models:/NAME/7"),
        ("runs:/abc/model", Failed, "^runs:/abc/model: Run with id=abc not found"),
        ("", BadInput, "fetch: needs the options uri"),
    ],
)
@in_one_loop
async def test_what_cant_be_fetched_is_one_line(
    child: WorkChild, iris: Project, tmp_path: Path, uri: str, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        await work(child, iris.job("fetch", tmp_path, uri=uri))


@in_one_loop
async def test_flights_with_texts_gaps_and_two_labels(child: WorkChild, tmp_path: Path) -> None:
    flights = settings(
        tmp_path,
        environment="dev",
        production=False,
        data={"source": "flights", "target": "late", "rows": 1500, "months": [1, 7]},
        thresholds={"min_accuracy": 0.5, "max_regression_percent": 100.0},
        endpoint={"name": "late"},
        registry={"experiment": "airport", "tags": {"team": "ops", "release": "not this one"}},
    )
    results = {step: await work(child, Job(step, tmp_path / "r", flights, "r")) for step in STEPS}
    assert results["data"].result["labels"] == ["no", "yes"]
    assert results["evaluate"].result["candidate"]["macro_f1"] > 0.7
    assert [each["name"] for each in results["check"].result["checks"]].count("unknown categories") == 1
    assert results["evaluate"].result["production_absent"] == "no version of late has the alias dev yet"
    project = Project(flights, tmp_path / "r", results)
    assert database(project, "select distinct e.name from experiments e join runs r using (experiment_id)") == [
        ("airport",)
    ]
    tags = dict(database(project, "select key, value from model_version_tags"))
    assert (tags["team"], tags["release"]) == ("ops", "r")


@in_one_loop
async def test_a_table_of_ones_own_with_four_whole_numbers_as_labels(child: WorkChild, tmp_path: Path) -> None:
    rows = [f"{n % 4 + 1},{'' if n % 9 == 0 else n % 4 * 10 + n % 3},{'north' if n % 4 else 'süd'}" for n in range(200)]
    (tmp_path / "own.csv").write_text("grade,size,place\n" + "\n".join(rows) + "\n")
    own = settings(tmp_path, data={"source": "own.csv", "target": "grade"})
    results = {step: await work(child, Job(step, tmp_path / "r", own, "r")) for step in STEPS}
    assert results["data"].result["labels"] == [1, 2, 3, 4]
    assert results["gate"].result["passed"]
    assert results["check"].done


@in_one_loop
async def test_a_version_made_for_other_fields_counts_as_absent(child: WorkChild, tmp_path: Path) -> None:
    first = settings(tmp_path)
    for step in STEPS[:-1]:
        await work(child, Job(step, tmp_path / "r1", first, "r1"))
    await work(child, Job("alias", tmp_path / "r1", first, "r1", PRODUCTION | {"number": "1"}))
    narrower = settings(tmp_path, data={"source": "iris", "target": "species", "drop": ["petal_width"]})
    for step in ("data", "preprocess", "train"):
        await work(child, Job(step, tmp_path / "r2", narrower, "r2"))
    measured = await work(child, Job("evaluate", tmp_path / "r2", narrower, "r2"))
    why = "iris v1 can't be compared: it needs petal_width, which the data no longer has"
    assert measured.result["production_absent"] == why
    assert f"production: {why}" in measured.lines
