"""The checks on any server that claims to speak Azure's REST hold for the stand-in, where there is a copy of them.

`QUARTERDECK_AZURE_CONTRACT` names the script.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.azure.faults import CRASHED
from tests.azure.standin import AzureStandIn

SCRIPT = os.environ.get("QUARTERDECK_AZURE_CONTRACT", "")


@pytest.mark.skipif(not SCRIPT, reason="QUARTERDECK_AZURE_CONTRACT names no script")
def test_every_check_holds(tmp_path: Path) -> None:
    azure = AzureStandIn(tmp_path)
    azure.quota.refuse("Standard_NC6s_v3")
    azure.fail("Standard_F4s_v2", CRASHED)
    with azure:
        where = ["--url", azure.url, "--ca", str(azure.ca), "--token", azure.token]
        failing = ["--no-quota", "Standard_NC6s_v3", "--crashing", "Standard_F4s_v2"]
        told = subprocess.run(
            [sys.executable, SCRIPT, *where, *failing], capture_output=True, text=True, timeout=300, check=False
        )
        assert told.returncode == 0, told.stdout
        assert told.stdout.splitlines()[-1] == "46 passed, 0 failed, 0 left out"
        assert azure.troubles == []
