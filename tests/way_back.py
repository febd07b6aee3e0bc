"""The way back through every fault, one rollback each: python -m tests.way_back [--only TEXT]. Prints a table.

After each, traffic is where it was before by good answers, or the exit code is 1 and a true word was said; then the
rollback is taken back, and status is told.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.story.kills_scene import QUICK, Scene
from tests.story.users import Users, served
from tests.story.ways import COSTLY, WAYS

SETS = (*QUICK, "release.strategy=all-at-once", "release.retire_after_s=3600")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one rollback: its exit code, who answers, what failed, until when nothing was under way."""

    code: int | None
    version: str
    requests: int
    failed: int
    seconds: float


@contextlib.contextmanager
def project(folder: Path) -> Iterator[Scene]:
    """A project that released twice: v2 serves, v1 stands by. Only the shells that release name its registry."""
    with Scene(folder, SETS, folder.parent / "registry.db") as scene:
        for _ in range(2):
            released = scene.run("release", "--skip", "load", deadline_s=120, **scene.named_registry())
            assert released.process.returncode == 0, released.text
        yield scene


def through(scene: Scene, name: str) -> Result:
    """A rollback through one fault; raises AssertionError with what was not as it should be."""
    scene.end_calls()
    _serve(scene, "2")
    with Users(scene.port, 4) as users:
        users.back(time.time(), 20)
        asked = time.time()
        told = WAYS[name](scene)
        scene.settles()
        seconds = time.time() - asked
        users.back(time.time(), 40)
        answering = {answer.version for answer in users.answers[-40:]}
        requests = sum(answer.at >= asked for answer in users.answers)
        failed = users.failed(asked)
    assert "Traceback" not in told.text
    assert len(answering) == 1, answering
    version = answering.pop()
    if told.code in (0, None):
        assert version == "1", told.text
    else:
        assert told.code == 1, told.text
        assert told.text.strip()
    assert version == "1" or "verified" not in told.text, told.text
    assert name in COSTLY or failed == []
    _verbs_work(scene, version)
    return Result(told.code, version, requests, len(failed), seconds)


def _serve(scene: Scene, version: str) -> None:
    """Let a version serve, the other one standing by."""
    if served(scene.port) != {version}:
        again = scene.run(
            "release",
            "--skip",
            "load",
            "--model-uri",
            f"models:/iris/{version}",
            deadline_s=120,
            **scene.named_registry(),
        )
        assert again.process.returncode == 0, again.text
        assert served(scene.port) == {version}


def _verbs_work(scene: Scene, answering: str) -> None:
    """What was taken back comes again, what was not goes back; and status is told."""
    assert scene.run("status").process.returncode == 0
    verb, version = ("undo", "2") if answering == "1" else ("rollback", "1")
    after = scene.run(verb, "--env", "prod")
    if verb == "undo" and after.process.returncode == 3:
        # It took too long, or the clock was off.
        assert "more than" in after.text, after.text
        return
    assert after.process.returncode == 0, after.text
    assert served(scene.port) == {version}


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Faults whose names hold this.")
    given, bad = parser.parse_args(), 0
    print(f"{'fault':<36} {'code':>5} {'answers':>8} {'requests':>9} {'failed':>7} {'s':>6}", flush=True)
    with tempfile.TemporaryDirectory(prefix="back-") as folder, project(Path(folder) / "iris") as scene:
        for name in [name for name in WAYS if given.only in name]:
            try:
                row = through(scene, name)
            except AssertionError as error:
                bad += 1
                print(f"{name:<36} NOT SO: {str(error).strip()[:1500]}", flush=True)
                continue
            code = "-" if row.code is None else row.code
            print(
                f"{name:<36} {code:>5} {'v' + row.version:>8} {row.requests:>9} {row.failed:>7} {row.seconds:>6.1f}",
                flush=True,
            )
        down = scene.run("down")
        assert down.process.returncode == 0, down.text
        assert scene.left() == []
        print(f"journal whole: {scene.whole()} events")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
