"""`python -m tests.azure` says what to export, and what it says leads to it."""

import signal
import ssl
import subprocess
import sys

import httpx

from tests.azure.containers import HOME


def test_what_it_prints_is_enough_to_ask_for_the_workspace() -> None:
    command = [sys.executable, "-m", "tests.azure", "--crashing", "Standard_F4s_v2"]
    with subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = {}
        while "SSL_CERT_FILE" not in said:
            name, _, value = process.stdout.readline().removeprefix("export ").strip().partition("=")
            said[name] = value
        trust = ssl.create_default_context(cafile=said["SSL_CERT_FILE"])
        group = f"/subscriptions/{said['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{said['AZURE_RESOURCE_GROUP']}"
        path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{said['AZURE_WORKSPACE_NAME']}"
        answer = httpx.get(
            f"{said['AZURE_STAND_IN']}{path}",
            params={"api-version": "2024-10-01-preview"},
            headers={"Authorization": f"Bearer {said['AZURE_STAND_IN_TOKEN']}"},
            verify=trust,
            trust_env=False,
        )
        assert answer.json()["name"] == said["AZURE_WORKSPACE_NAME"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
