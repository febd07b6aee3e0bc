"""The demo, as somebody sees it who has just cloned this: without a terminal it is lines, and it ends by itself."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.story.shop import COMMAND

DEADLINE_S = 175


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE_S + 5)
def test_the_demo_trains_serves_releases_scales_and_comes_back(tmp_path: Path) -> None:
    told = subprocess.run(
        [str(COMMAND), "demo"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-2000:]
    assert "Traceback" not in told.stdout + told.stderr
    accuracy = [float(found) for found in re.findall(r"candidate: f1 \S+ accuracy (\.\d+)", told.stdout)]
    assert len(accuracy) == 2
    assert all(0.8 < reached < 1 for reached in accuracy)
    assert {"models:/late/1", "models:/late/2"} <= set(re.findall(r"models:/late/\d", told.stdout))
    assert re.search(r"scaling +(blue|green) \d → \d", told.stdout)
    closing = re.search(
        r"([\d,]+) requests, (\d+) failed; up to (\d) replicas; back (\d+) ms after the key", told.stdout
    )
    assert closing is not None
    assert int(closing[1].replace(",", "")) > 1000
    assert int(closing[2]) == 0
    assert int(closing[3]) >= 2
    assert list(tmp_path.glob("quarterdeck-demo-*")) == []
