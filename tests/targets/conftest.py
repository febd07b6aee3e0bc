"""Endpoints on this machine for tests; whatever a test does to them, they are ended after it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.errors import Unreachable
from core.model import Version
from core.targets.local.client import LocalTarget, stop
from tests.targets.helpers import model_folder, spec_in


async def end(folder: Path) -> None:
    """Stop an endpoint, by force where asking does not help."""
    with suppress(Unreachable):
        await stop(folder)
    kill_host(folder)


def kill_host(folder: Path) -> None:
    """End the host process of a folder at once."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[1:3] == ["-m", "core.targets.local.host"] and command[-1] == str(folder.resolve()):
            process.kill()


class Endpoints:
    """Makes targets over endpoints in a folder; models by version number, the first a plain one."""

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
        """Close and stop all."""
        for target in self.made:
            await target.close()
            await end(target.spec.folder)


@pytest.fixture
async def endpoints(tmp_path: Path) -> AsyncIterator[Endpoints]:
    """Endpoints of one test."""
    endpoints = Endpoints(tmp_path)
    yield endpoints
    await endpoints.end()
