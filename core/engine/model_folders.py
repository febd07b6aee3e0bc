"""Where versions lie for the local target, and how one that is gone comes back out of the registry."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from core.config.config import state_folder
from core.config.settings import Settings
from core.domain.errors import Failed
from core.domain.model import Version
from core.work.child import WorkChild
from core.work.job import Job


class ModelFolders:
    """The model folders of one project."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environ = environ
        self._fetches: dict[Path, asyncio.Task[None]] = {}

    def place(self, version: Version) -> Path:
        """Where the version lies once it was registered or fetched here."""
        return state_folder(self._settings) / "models" / f"{version.model}-{version.number}"

    async def of(self, version: Version) -> Path:
        """The version's folder, fetched where it is gone. Raises Failed.

        Whoever asks may give up: a fetch goes on, as packages that are installed anew take minutes, and who asks
        again waits for the same one.
        """
        folder = self.place(version)
        if (folder / "model.json").exists():
            return folder
        if not version.uri:
            raise Failed(f"{version.model} {version.label}: {folder} is gone and the registry's address unknown")
        if folder not in self._fetches:
            name = f"fetch {version.label}"
            self._fetches[folder] = asyncio.create_task(self._fetch(version.uri, folder.name), name=name)
        fetch = self._fetches[folder]
        try:
            await asyncio.shield(fetch)
        finally:
            if fetch.done():
                self._fetches.pop(folder, None)
        return folder

    async def _fetch(self, uri: str, name: str) -> None:
        """In a child of its own: the release's may be at its next step by then."""
        child = WorkChild(self._settings, self._environ)
        job = Job("fetch", state_folder(self._settings) / "work" / "fetch" / name, self._settings, "", {"uri": uri})
        try:
            async for _ in child.run(job):
                pass
        finally:
            await child.close()

    async def close(self) -> None:
        """End what is fetched."""
        fetches = list(self._fetches.values())
        self._fetches.clear()
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
