"""A project in good health, made of its files alone: what each test of the doctor breaks one thing of."""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from core.doctor import examine, machine, registry, served, steering
from core.doctor.project import doctor
from core.domain.diagnosis import Condition, Diagnoses, Diagnosis, ok
from core.domain.model import Observation
from core.domain.plan import Plan
from core.engine.project import Project
from core.state import events as ev
from core.system.digests import digests
from core.system.processes import process_id
from core.targets.local import records, wire
from core.targets.local.spec import EndpointSpec
from core.targets.local.state import Held, HostState, save
from core.targets.local.wire import HostStatus
from core.watch.place import WatchPlace, package_version
from tests.environments import V1, V2

NAME = "late-dev"
PATIENT_S = 120.0
KEY = "no-secret-but-a-key"
VARIABLE = "PATIENT_KEY"
SETTINGS = f"""
data: {{source: iris, target: species}}
endpoint: {{name: late, key_env: {VARIABLE}}}
"""


@dataclass(slots=True)
class Patient:
    """What stands there, and how its endpoint and its watch answer."""

    project: Project
    status: int = 200
    health: int = 200
    version: str = "2"
    watch_version: str = field(default_factory=package_version)
    host_version: str = field(default_factory=package_version)
    ready: int = 2
    silent: bool = False
    asked: list[tuple[object, str]] = field(default_factory=list)
    runner: web.AppRunner | None = None
    host: asyncio.Server | None = None

    @property
    def state(self) -> Path:
        """The project's state folder."""
        return self.project.path.parent / ".quarterdeck"

    @property
    def folder(self) -> Path:
        """The endpoint's folder."""
        return self.state / "endpoints" / NAME

    @property
    def model(self) -> Path:
        """What is served."""
        return self.state / "models" / f"{V2.model}-{V2.number}"

    def write(self, *facts: ev.Body, after_s: float = 0.0) -> None:
        """More of what happened."""
        with contextlib.closing(self.project.journal()) as journal:
            journal.append(facts, "ada", journal.clock.now() + after_s)

    def sql(self, file: str, line: str) -> None:
        """Change a database by hand."""
        with contextlib.closing(sqlite3.connect(self.state / file)) as database:
            database.execute(line)
            database.commit()

    def set(self, more: str) -> None:
        """Write other settings; they are read anew."""
        self.project.path.write_text(more)
        self.project = Project(self.project.path)

    async def gone(self) -> None:
        """Its address answers nobody any more."""
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def examined(self) -> list[Diagnosis]:
        """All lines."""
        return await doctor(Project(self.project.path))

    async def wrong(self) -> dict[str, Condition]:
        """By name, what is not as it should be."""
        return {one.name: one.condition for one in await self.examined() if one.condition is not Condition.OK}


@contextlib.asynccontextmanager
async def healthy(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Patient]:
    """A project that serves its second version and has drilled the way back to the first."""
    patch.setenv(VARIABLE, KEY)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    # MLflow takes seconds to load; that it opens a registry is seen in a test of its own.
    patch.setattr(registry, "opens", _opens)
    # How much room there is, and which terminal, is this machine's own affair.
    patch.setattr(machine, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=1 << 40)))
    patch.setattr(machine, "_size", lambda: None)
    _without_haste(patch)
    path = folder / "late" / "quarterdeck.yaml"
    path.parent.mkdir()
    path.write_text(SETTINGS)
    patient = Patient(Project(path))
    _models(patient)
    url = await _serve(patient)
    _journal(patient, url)
    patient.sql("mlflow.db", "create table alembic_version (version_num text)")
    _state(patient, url)
    watch = await _watch(patient)
    patient.host = await _host(patient, url)
    try:
        yield patient
    finally:
        await patient.gone()
        watch.close()
        patient.host.close()


def _without_haste(patch: pytest.MonkeyPatch) -> None:
    """Bounds are tested elsewhere: here a machine that has much else to do breaks nothing."""
    ask = wire.ask
    patch.setattr(
        examine, "asyncio", SimpleNamespace(gather=asyncio.gather, timeout=lambda _: asyncio.timeout(PATIENT_S))
    )
    patch.setattr(served, "ASK_S", PATIENT_S)
    patch.setattr(steering, "ANSWER_S", PATIENT_S)
    patch.setattr(wire, "ask", lambda folder, message, timeout_s=0.0: ask(folder, message, PATIENT_S))


def _opens(*_: object) -> Diagnoses:
    return [ok("opens")]


def _models(patient: Patient) -> None:
    for version in (V1, V2):
        folder = patient.state / "models" / f"{version.model}-{version.number}"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps({"file": "model.ubj"}))
        (folder / "model.ubj").write_bytes(b"trees")
        (folder / "rows.jsonl").write_text('{"width": 1.5}\n')
        (folder / "version.json").write_text(json.dumps({"files": digests(folder)}))


def _journal(patient: Patient, url: str) -> None:
    slots = {"blue": Observation("blue", V1, 1, 1, 0.0), "green": Observation("green", V2, 1, 1, 100.0)}
    patient.write(
        ev.Began("r2", NAME, "dev", Plan("canary", ())),
        ev.Chose("r2", V2),
        ev.Placed("r2", "green", "blue", V1),
        ev.Opened(NAME, url, "dev"),
        *(ev.Observed(NAME, seen) for seen in slots.values()),
        ev.Ended("r2", ev.Outcome.DONE),
        ev.Drilled(NAME, V1, 30.0, 20.0, 100, 0),
    )
    with contextlib.closing(patient.project.journal()) as journal:
        journal.take(NAME, "watch")


def _state(patient: Patient, url: str) -> None:
    spec = EndpointSpec(NAME, patient.folder)
    patient.folder.mkdir(parents=True)
    held = Held(V2, patient.model, 1, 1, spec)
    save(patient.folder, HostState(spec.to_json(), int(url.rpartition(":")[2]), slots={"green": held}))
    records.router_record(patient.folder).parent.mkdir()
    records.write(records.router_record(patient.folder), {"process": records.me()})


async def _host(patient: Patient, url: str) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        slots = (Observation("green", V2, 2, patient.ready, 100.0),)
        about = HostStatus(NAME, patient.folder, True, os.getpid(), url, slots, version=patient.host_version)
        writer.write(wire.line(about.to_json()))
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, str(wire.host_socket(patient.folder)))


async def _serve(patient: Patient) -> str:
    async def health(request: web.Request) -> web.Response:
        return web.Response(status=patient.health, headers={"x-model-version": patient.version})

    async def predict(request: web.Request) -> web.Response:
        patient.asked.append((await request.json(), request.headers.get("authorization", "")))
        return web.json_response({"predictions": ["late"]}, status=patient.status)

    async def metadata(request: web.Request) -> web.Response:
        return web.json_response({"example": {"width": 2.5}})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.post("/predict", predict), web.get("/metadata", metadata)])
    patient.runner = web.AppRunner(app, access_log=None)
    await patient.runner.setup()
    site = web.TCPSite(patient.runner, "127.0.0.1", 0)
    await site.start()
    host, port = patient.runner.addresses[0][:2]
    return f"http://{host}:{port}"


async def _watch(patient: Patient) -> asyncio.Server:
    place = WatchPlace(patient.project.path)
    me = process_id()
    assert me is not None
    place.write_who(me)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if not patient.silent:
            said = {"pid": os.getpid(), "version": patient.watch_version, "started_at": time.time()}
            writer.write(json.dumps({**said, "folder": place.here}).encode() + b"\n")
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, str(place.socket))
