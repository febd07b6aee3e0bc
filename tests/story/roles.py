"""The processes of a test's project, found by a mark in their environment, and what each of them is for."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

MARK = "SCENE_OF_THIS_TEST"
ROLES = {
    "core.watch.main": "watch",
    "core.work.worker": "work",
    "core.targets.local.host": "host",
    "core.targets.local.zygote": "replica",
    "locust": "locust",
}


def marked(mark: str) -> list[psutil.Process]:
    """Every process that was started with this mark, however far down."""
    return [process for process in psutil.process_iter() if environment(process).get(MARK) == mark]


def by_role(processes: Sequence[psutil.Process]) -> dict[str, list[psutil.Process]]:
    """They, by what they are for. A replica is a child of the one that forks them."""
    found: dict[str, list[psutil.Process]] = {}
    for process in processes:
        try:
            words, parent = process.cmdline(), process.parent()
            role = next((role for word, role in ROLES.items() if any(word in part for part in words)), "")
            if "envoy" in process.name():
                role = "router"
            elif role == "replica" and (parent is None or "zygote" not in " ".join(parent.cmdline())):
                role = "zygote"
        except psutil.Error:
            continue
        found.setdefault(role or f"command {' '.join(words[2:3]) or words}", []).append(process)
    return found


def of_slot(parents: Sequence[psutil.Process], slot: str) -> list[psutil.Process]:
    """The parents whose replicas write to the logs of a slot, and those replicas."""
    found: list[psutil.Process] = []
    for process in parents:
        try:
            children = process.children()
            logs = {Path(file.path).name for child in children for file in child.open_files()}
        except psutil.Error:
            continue
        if any(name.startswith(f"{slot}-") for name in logs):
            found += [process, *children]
    return found


def letter(pid: int) -> str:
    """The state of a process: R, S, T (stopped), Z; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return stat[stat.rindex(")") + 2]


def environment(process: psutil.Process) -> Mapping[str, str]:
    """Of another process; empty when it has ended or is not ours to see."""
    try:
        return process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
    except (psutil.Error, OSError):
        return {}


def kill(process: psutil.Process | subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended already."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
