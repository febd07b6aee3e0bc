"""The stand-in cluster as a process of its own, as a story needs it: told what befalls it, asked what it holds."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.kubernetes.caller import Caller
from tests.kubernetes.kinds import Json
from tests.story.shop import HOME

NAMESPACE = "flights"
SPEED = 10.0


class StandIn:
    """`python -m tests.kubernetes` with load balancers. Its API server may be away while pods serve on."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.address = ""
        self.token = ""
        self._log = folder / "stand-in.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        flags = ("--kubeconfig", str(self.kubeconfig), "--balancers", "--speed", str(SPEED))
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kubernetes", *flags],
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        self.address = line.split()[0]
        (user,) = yaml.safe_load(self.kubeconfig.read_text())["users"]
        self.token = user["user"]["token"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.communicate()

    def caller(self) -> Caller:
        """Calls in the namespace of the story."""
        return Caller(self, NAMESPACE)

    def tell(self, word: str, **asked: Any) -> Json:
        """A word to it, which it must know."""
        answer = httpx.post(f"{self.address}/stand-in/{word}", json=asked, timeout=20, trust_env=False)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def state(self) -> Json:
        """What is so: faults and how often each was met, troubles."""
        found: Json = httpx.get(f"{self.address}/stand-in/", timeout=20, trust_env=False).json()
        return found

    def calls(self, since: float) -> list[Json]:
        """What was answered since a moment: method, path, status, when it came and when it was answered."""
        url = f"{self.address}/stand-in/calls?since={since}"
        found: list[Json] = httpx.get(url, timeout=20, trust_env=False).json()["calls"]
        return found
