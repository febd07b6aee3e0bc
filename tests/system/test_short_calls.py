"""A program that is asked one thing has an end, with all that it started."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from core.system.processes import ended, process_id
from core.system.short_calls import called


def test_what_it_says_comes_back_with_its_code() -> None:
    code, said = called([sys.executable, "-c", "import sys; print(input()); sys.exit('no')"], 30, "given\n")
    assert (code, said) == (1, "given\nno\n")


async def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """The grandchild holds the pipe, and would hold up whoever reads to its end."""
    began = time.monotonic()
    script = f"sleep 300 & echo $! > {tmp_path}/pid; sleep 300"
    with pytest.raises(TimeoutError, match="no answer within 1 s"):
        called(["/bin/sh", "-c", script], 1.0)
    assert time.monotonic() - began < 60
    left = process_id(int((tmp_path / "pid").read_text()))
    if left is not None:
        async with asyncio.timeout(60):
            await ended(left)


def test_one_that_cannot_be_begun_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        called([str(tmp_path / "none")], 1.0)
