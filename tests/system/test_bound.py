"""Somebody else's program ends with whoever started it, however that ended."""

import signal
import subprocess
import sys

import psutil
import pytest

from core.system.processes import python

STARTS = """
import subprocess, sys, time
from core.system.processes import python
import os
child = subprocess.Popen(python("core.system.bound", str(os.getpid()), "sleep", "600"), start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_command_ends_with_whoever_started_it() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    bound = psutil.Process(int(starter.stdout.readline()))
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)
    starter.stdout.close()
    psutil.wait_procs([bound], timeout=10)
    assert not bound.is_running() or bound.status() == psutil.STATUS_ZOMBIE


def test_one_whose_parent_is_gone_already_does_not_begin() -> None:
    command = python("core.system.bound", "1", "echo", "begun")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "the parent is gone\n")
