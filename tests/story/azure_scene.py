"""A project that serves in a stand-in for Azure ML, its users there, and what the workspace holds of it."""

import contextlib
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml

from core.state import events as ev
from core.watch.place import WatchPlace
from tests.azure.blobs import DOMAIN
from tests.azure.serving import OnlineEndpoint
from tests.azure.standin import AzureStandIn
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.users import ROW, Answer

NAME = "iris"
SETS = (*QUICK, "release.retire_after_s=3600", "release.steps=[50,100]")
ERRORS = {"metric": "failed_percent", "op": "<", "limit": 5, "at_least": 5}
"""The only gate: how fast answers come is the machine's matter here."""
PLACE = {
    "poll_s": 0.2,
    "look_s": 1,
    "request_timeout_s": 10,
    "max_concurrent_requests": 20,
    "instance_type": "Standard_DS2_v2",
}


def trusted(azure: AzureStandIn) -> ssl.SSLContext:
    """Whom a caller of the stand-in trusts."""
    return ssl.create_default_context(cafile=str(azure.ca))


class AzureScene(Scene):
    """The project; `place` is what its file says of the workspace besides where that is."""

    def __init__(self, folder: Path, azure: AzureStandIn, **place: Any) -> None:
        super().__init__(folder, SETS)
        self.azure = azure
        self.place = {**PLACE, **place}

    def environ(self, **more: str) -> dict[str, str]:
        """With the login, and whom to trust."""
        return super().environ(**self.azure.environment(), **more)

    def furnish(self) -> None:
        """Write the settings: the workspace itself is named by variables."""
        path = self.folder / "quarterdeck.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["target"] = "azureml"
        cloud = {"resource_manager": self.azure.url, "storage": DOMAIN}
        settings["azureml"] = {"cloud": cloud, **self.place}
        settings["endpoint"]["replicas"] = 1
        settings["release"]["gates"] = [ERRORS]
        settings["release"]["smoke_limits"] = {"p50_ms": 60_000, "p95_ms": 60_000, "p99_ms": 60_000}
        settings.setdefault("environments", {}).setdefault("prod", {})["approve"] = "nobody"
        path.write_text(yaml.safe_dump(settings))

    @property
    def endpoint(self) -> OnlineEndpoint:
        """As the stand-in holds it."""
        return self.azure.endpoint(NAME)

    @property
    def traffic(self) -> dict[str, int]:
        """Which deployments callers come to, in percent."""
        return {slot: share for slot, share in self.endpoint.traffic.items() if share}

    def deployed(self) -> dict[str, str]:
        """The state of each deployment that there is."""
        return self.azure.do(lambda: {one.name: one.state for one in self.endpoint.deployments.values()})

    def take_away_idle(self) -> None:
        """Delete, as by hand, the deployment that has no traffic, so that the next release makes one."""
        for slot in set(self.deployed()) - set(self.traffic):
            url = f"{self.azure.url}{self.endpoint.path}/deployments/{slot}?api-version=2023-04-01-preview"
            headers = {"authorization": f"Bearer {self.azure.token}"}
            with httpx.Client(verify=trusted(self.azure), headers=headers) as client:
                assert client.delete(url).status_code == 202
            wait_for(partial(self._without, slot), f"{slot} gone")

    def _without(self, slot: str) -> bool:
        """Whether a slot is gone, and known to be."""
        return slot not in self.deployed() and slot not in self.snapshot.endpoints[NAME].slots

    def kill_watch(self) -> int:
        """SIGKILL to the process that steers; its id, 0 where there is none."""
        who = WatchPlace(self.folder / "quarterdeck.yaml").who()
        if who is None or not who.alive:
            return 0
        os.kill(who.pid, signal.SIGKILL)
        return who.pid

    def has_watch(self) -> None:
        """Look once, as the next person does: one that was killed after the last command had ended is brought back."""
        if not self.roles().get("watch"):
            assert self.call("status", sets=()).ends() == 0
            wait_for(lambda: self.roles().get("watch"), "the watch")

    def said(self, after: int = 0) -> list[str]:
        """What the target told in words, in order."""
        return [event.body.noted.text for event in self.events(after) if isinstance(event.body, ev.Remarked)]

    def handed_out(self) -> list[tuple[str, bytes]]:
        """Every secret that the stand-in gave to somebody, by what it is."""
        azure, keys = self.azure, self.endpoint.keys
        signed = [call.query for call in azure.seen if "mfeOperation" in call.path]
        found = [
            *(("a login's token", one) for one in azure.logins.users),
            *(("an endpoint's key", one) for one in (keys.primary, keys.secondary)),
            *(("an endpoint's token", one) for one in keys.tokens),
            ("the store's key", azure.blobs.key),
            *(("a signature of the store", one) for one in azure.blobs.signatures),
            *(("an operation's signature", one.rpartition("h=")[2]) for one in signed),
            ("the header of a login", azure.environment()["IDENTITY_HEADER"]),
        ]
        return [(what, one.encode()) for what, one in found]

    def all_that_was_said(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the project, every command's output, and how its processes were called.

        Not the variables of a shell, which are kept for its own releases, nor the addresses of operations.
        """
        for path in self.folder.rglob("*"):
            kept = {"variables", "azureml"} & set(path.relative_to(self.folder).parts)
            if path.is_file() and not (kept and ".quarterdeck" in path.parts):
                yield str(path.relative_to(self.folder)), path.read_bytes()
        for call in self.calls:
            yield " ".join(map(str, call.process.args)), call.text.encode()  # type: ignore[arg-type]
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                yield f"process {process.pid}", " ".join(process.cmdline()).encode()


class AzureUsers:
    """Callers of an endpoint, with its key, each on a thread of its own; every end of a request is kept."""

    def __init__(self, azure: AzureStandIn, users: int = 2, pause_s: float = 0.1) -> None:
        endpoint = azure.endpoint(NAME)
        self._url = f"{endpoint.url}/score"
        self._headers = {"authorization": f"Bearer {endpoint.keys.primary}", "content-type": "application/json"}
        self._trusted = trusted(azure)
        self._pause_s = pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(users)]
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join(20)

    def failed(self) -> list[Answer]:
        """The requests that were not answered by a prediction."""
        return [one for one in list(self.answers) if one.why]

    def last_of(self, slot: str) -> float:
        """When a deployment answered last; 0 where it never did."""
        return max((one.at for one in list(self.answers) if one.version == slot), default=0.0)

    def _ask(self) -> None:
        with httpx.Client(verify=self._trusted, timeout=10, headers=self._headers) as client:
            while not self._over.wait(self._pause_s):
                began_s, slot = time.monotonic(), ""
                try:
                    answer = client.post(self._url, content=ROW)
                    why = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:60]}"
                    slot = answer.headers.get("azureml-model-deployment", "")
                except httpx.HTTPError as error:
                    why = f"{type(error).__name__} {error}"
                self.answers.append(Answer(time.time(), why, slot, "", 1000 * (time.monotonic() - began_s)))
