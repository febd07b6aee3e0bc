"""Who a process is, whether it runs, and signals that reach nobody else."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.system.processes import ProcessId, child_environment, ended, has_gone, process_id, python, send, whoami


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


def test_a_process_is_known_again_and_survives_being_written_down() -> None:
    me = process_id()
    assert me is not None
    assert me.pid == os.getpid()
    assert me.alive
    assert ProcessId.from_json(me.to_json()) == me


FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="its kernel lists the first thread for the whole process")
async def test_it_has_ended_when_its_last_thread_has() -> None:
    with subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE) as child:  # noqa: ASYNC220
        known = process_id(child.pid)
        assert known is not None
        async with asyncio.timeout(20):
            while known.alive:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        waiting = asyncio.create_task(ended(known))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert done == set()
        child.kill()
        async with asyncio.timeout(20):
            await waiting
        assert child.wait() == -signal.SIGKILL


def test_one_that_ended_is_not_alive_also_before_it_was_waited_for() -> None:
    with sleeper() as child:
        known = process_id(child.pid)
        assert known is not None
        assert known.alive
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not known.alive
    assert not known.alive
    assert process_id(child.pid) is None


def test_another_with_the_same_number_is_not_meant() -> None:
    with sleeper() as child:
        known = process_id(child.pid)
        assert known is not None
        earlier, other_boot = replace(known, started=known.started - 1), replace(known, boot="another")
        assert not send(earlier, signal.SIGKILL)
        assert not send(other_boot, signal.SIGKILL)
        assert child.poll() is None
        assert send(known, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL


def test_a_child_never_takes_a_module_of_its_folder(tmp_path: object) -> None:
    assert python("core.x", "a")[1:] == ["-P", "-m", "core.x", "a"]
    paths = child_environment()["PYTHONPATH"].split(os.pathsep)
    assert all(Path(path).is_absolute() for path in paths)


def test_a_process_named_by_a_word_is_known_to_have_gone() -> None:
    me = whoami()
    machine, boot_id, pid, started = me.split("/")
    assert not has_gone(me)
    assert has_gone(f"{machine}/{boot_id}/{pid}/{int(started) - 1}"), "its number is somebody else's now"
    assert has_gone(f"{machine}/another-boot/{pid}/{started}")
    assert not has_gone(f"elsewhere/{boot_id}/{pid}/1"), "of another machine nobody here knows"
    assert has_gone("")
    assert has_gone("a/b/c/d")
