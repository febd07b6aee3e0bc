"""`python -m tests.azure` says what to export, and what it says leads to it."""

import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.azure.containers import HOME


@pytest.fixture
def printed() -> Iterator[dict[str, str]]:
    """The variables that it prints; told to end, it does."""
    command = [sys.executable, "-m", "tests.azure", "--crashing", "Standard_F4s_v2"]
    with subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            pairs = (one.removeprefix("export ").strip().partition("=") for one in lines)
            said: dict[str, str] = {}
            while "SSL_CERT_FILE" not in said:
                name, _, value = next(pairs)
                said[name] = value
            yield said
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_what_it_prints_is_enough_to_ask_for_the_workspace(printed: dict[str, str]) -> None:
    trust = ssl.create_default_context(cafile=printed["SSL_CERT_FILE"])
    group = f"/subscriptions/{printed['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{printed['AZURE_RESOURCE_GROUP']}"
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{printed['AZURE_WORKSPACE_NAME']}"
    headers = {"Authorization": f"Bearer {printed['AZURE_STAND_IN_TOKEN']}"}
    with httpx.Client(headers=headers, verify=trust, trust_env=False, timeout=60) as client:
        answer = client.get(f"{printed['AZURE_STAND_IN']}{path}", params={"api-version": "2024-10-01-preview"})
    assert answer.json()["name"] == printed["AZURE_WORKSPACE_NAME"]
