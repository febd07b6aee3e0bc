"""Who a process is, whether it runs, and signals that reach nobody else."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from core.system.processes import ProcessId, child_environment, has_gone, process_id, python, send, whoami


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


def test_a_process_is_known_again_and_survives_being_written_down() -> None:
    me = process_id()
    assert me is not None
    assert me.pid == os.getpid()
    assert me.alive
    assert ProcessId.from_json(me.to_json()) == me


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
