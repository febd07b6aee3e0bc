"""Endpoints on this machine for tests; whatever a test does to them, they are ended after it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.domain.errors import Unreachable
from core.domain.model import Version
from core.targets.local import wire
from core.targets.local.client import LocalTarget
from tests.targets.helpers import model_folder, spec_in

END_S = 20.0


def hosts_under(folder: Path) -> list[psutil.Process]:
    """The host processes of endpoints somewhere in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[1:3] == ["-m", "core.targets.local.host"] and Path(command[-1]).is_relative_to(folder):
            found.append(process)
    return found


@pytest.fixture(scope="session", autouse=True)
def all_ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end no host of these tests is left; other tests may have projects that still serve."""
    yield
    mine = [
        path
        for path in tmp_path_factory.getbasetemp().resolve().iterdir()
        if path.name.startswith(("test_", "contract"))
    ]
    hosts = [host for path in mine for host in hosts_under(path)]
    _, late = psutil.wait_procs(hosts, timeout=END_S)
    for host in late:
        host.kill()
    assert not late


class Endpoints:
    """Makes targets over endpoints in a folder; models by version number, plain ones unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Path] = {}
        self.made: list[LocalTarget] = []

    def model(self, number: str, **does: object) -> Path:
        """Say what a version does."""
        self.models[number] = model_folder(self.folder / f"model-{number}", **does)
        return self.models[number]

    async def fetch(self, version: Version) -> Path:
        """The folder of a version."""
        return self.models.get(version.number) or self.model(version.number)

    def target(self, token: int = 0, folder: Path | None = None, **more: object) -> LocalTarget:
        """A target with these settings."""
        self.made.append(LocalTarget(spec_in(folder or self.folder / "late", **more), self.fetch, token))
        return self.made[-1]

    async def end(self) -> None:
        """Close all and tell their hosts to stop; they drain while the next test runs."""
        for target in self.made:
            await target.close()
        for folder in {target.spec.folder for target in self.made}:
            with suppress(OSError, Unreachable):
                _, writer = await wire.connect(folder)
                writer.write(wire.line({"do": "stop"}))
                await writer.drain()
                writer.close()
                await writer.wait_closed()


@pytest.fixture
async def endpoints(tmp_path: Path) -> AsyncIterator[Endpoints]:
    """Endpoints of one test."""
    endpoints = Endpoints(tmp_path)
    yield endpoints
    await endpoints.end()
