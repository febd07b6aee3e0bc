"""A service to load and rows to send, for each test its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVICE = Path(__file__).with_name("service.py")

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a service and says where it is; they end with the test."""
    services: list[subprocess.Popen[str]] = []

    def one(key: str = "", break_every: int = 0) -> str:
        service = subprocess.Popen(
            [sys.executable, str(SERVICE), key, str(break_every)], stdout=subprocess.PIPE, text=True
        )
        services.append(service)
        assert service.stdout is not None
        return service.stdout.readline().strip()

    yield one
    for service in services:
        service.kill()
        service.communicate(timeout=10)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Raw records as JSON lines."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"carrier": "UA", "hour": hour}) for hour in range(24)) + "\n")
    return file
