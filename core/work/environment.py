"""The packages that somebody else's model asks for, installed apart from ours: once for each set of requirements.

uv does it. Unless a project says otherwise, wheels alone are taken: what has to be built runs its author's code.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from core.domain.errors import Failed
from core.images.needs import Needs
from core.system.text import clean_line
from core.work.job import Report

INSTALL_S = 780.0
"""All of it, within what a step may take."""
RESOLVE_S = 20.0
"""Whoever asks before a release waits no longer; installing says the same later."""
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SHOWN = 300


def refusal(needs: Needs, wheels_only: bool) -> str:
    """Why these packages can't be had, in one sentence; empty where they can, or where nobody said so in time."""
    if installed(needs):
        return ""
    arguments = ["pip", "compile", "--quiet", "--python-version", needs.python, *_wheels(wheels_only), "-"]
    try:
        done = subprocess.run(
            [_uv(), *arguments],
            input="\n".join(needs.packages),
            capture_output=True,
            text=True,
            timeout=RESOLVE_S,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        return ""
    return f"its packages can't be had: {_why(done.stderr.splitlines())}{_hint(done.stderr)}"


def installed(needs: Needs) -> Path | None:
    """The interpreter that has these packages already."""
    folder = cache() / needs.digest
    python = folder / "bin" / "python"
    return python if folder.with_suffix(".json").exists() and python.exists() else None


def build(needs: Needs, wheels_only: bool, say: Report) -> Path:
    """The interpreter that has these packages; installs them where nobody has yet. Raises Failed."""
    folder = cache() / needs.digest
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if found := installed(needs):
            return found
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing {len(needs.packages)} packages for Python {needs.python}, apart from ours")
        try:
            _run(["venv", "--quiet", "--python", needs.python, str(folder)], "", say)
            arguments = ["pip", "install", "--python", str(python), *_wheels(wheels_only), "-r"]
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                file.write("\n".join(needs.packages))
                file.flush()
                _run([*arguments, file.name], ", ".join(needs.packages[:3]), say)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        folder.with_suffix(".json").write_text(json.dumps({"python": needs.python, "packages": needs.packages}))
    return python


def cache() -> Path:
    """Where environments are kept, for all projects of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quarterdeck" / "environments"


def _run(arguments: Sequence[str], what: str, say: Report) -> None:
    """uv to its end, its lines as progress; raises Failed with what it says against it."""
    lines: list[str] = []
    with subprocess.Popen(
        [_uv(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        late = threading.Timer(INSTALL_S, process.kill)
        late.start()
        try:
            for line in process.stderr or ():
                lines.append(line)
                if shown := clean_line(line)[:SHOWN]:
                    say.progress(None, f"installing {what}: {shown}" if what else shown)
        finally:
            late.cancel()
    if process.returncode:
        late_ = "" if process.returncode > 0 else f"uv was ended after {INSTALL_S:g} s: "
        raise Failed(f"its packages can't be installed: {late_}{_why(lines)}{_hint(''.join(lines))}")


def _why(lines: Sequence[str]) -> str:
    """What uv says went wrong, in one line."""
    said = [clean_line(line.strip(" ×│╰─▶├╭╯")) for line in lines]
    return " ".join(line for line in said if line and not line.startswith(("hint", "warning", "Using")))[:SHOWN]


def _hint(said: str) -> str:
    built = "no-build" in said or "no wheels" in said or "building" in said.lower()
    return "; registry.wheels_only: false has packages built, which runs their code" if built else ""


def _wheels(only: bool) -> list[str]:
    return ["--no-build"] if only else []


def _environment() -> Mapping[str, str]:
    """What uv needs of ours: the way to its index, and nothing else."""
    proxies = {*PROXIES, *(name.lower() for name in PROXIES)}
    kept = {name: value for name, value in os.environ.items() if name in {*KEPT, *proxies} or name.startswith("UV_")}
    return {**kept, "UV_NO_PROGRESS": "1", "UV_COMPILE_BYTECODE": "1", "NO_COLOR": "1"}


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise Failed("its packages are installed by uv, which is not here: install uv and release again")
    return found


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One at a time; the others wait for what the first one makes."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
