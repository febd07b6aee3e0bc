"""By hand, as root on Linux: an XGBoost model's image, made twice, run out of a root that is read-only, pushed, pulled.

    python -m tests.images

Ends with 1 where anything differs. docker-registry and skopeo are used where they are installed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from core.images.layout import Layout
from core.images.record import ImageRecord, known
from tests.images import docker_registry, running, small
from tests.scoring import make_models

GOAL_MB = 150
MB = 1e6


def main() -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        home = Path(folder)
        subprocess.run([sys.executable, str(make_models.__file__), str(home / "models")], check=True, timeout=120)
        first, second = (built(home, f"project-{seed}", seed) for seed in ("1", "2"))
        print(f"made twice, by two processes with other hash seeds: {first.digest[:19]}… and {second.digest[:19]}…")
        print(f"unpacked {first.unpacked / MB:.1f} MB (goal {GOAL_MB}), packed {first.size / MB:.1f} MB")
        layout = Layout(home / "project-1" / ".quarterdeck" / "images" / "layout")
        wrong = served(layout, first.tag, home / "root", home / "models" / "two")
        pushed = there(home, first, layout)
        fine = first.digest == second.digest and first.unpacked < GOAL_MB * MB and not wrong and pushed
    print("fine" if fine else "NOT fine")
    return 0 if fine else 1


def built(home: Path, name: str, seed: str) -> ImageRecord:
    """By the command itself."""
    project = small.made(home / name)
    settings = small.project(project)
    model = project / ".quarterdeck" / "models" / "late-3"
    shutil.copytree(home / "models" / "two", model)
    began = time.perf_counter()
    quarterdeck(project, "image", "build", "3", environ={"PYTHONHASHSEED": seed})
    print(f"built in {time.perf_counter() - began:.1f} s")
    found = known(settings, "late", "3")
    assert found is not None
    return found


def quarterdeck(project: Path, *arguments: str, environ: dict[str, str] | None = None) -> None:
    """The real command; its lines go to the terminal."""
    command = [sys.executable, "-m", "tui.start", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **(environ or {})}
    subprocess.run(command, cwd=project, env=environ, check=True, timeout=300)


def served(layout: Layout, tag: str, root: Path, model: Path) -> int:
    """How many of the model's own answers the image gives otherwise, out of a root that is mounted read-only."""
    config = running.unpacked(layout, tag, root)
    expected = json.loads((model / "expected.json").read_text())
    names = [field["name"] for field in json.loads((model / "model.json").read_text())["fields"]]
    began = time.perf_counter()
    with running.serving(root, config, locked=True) as url:
        ready_s = time.perf_counter() - began
        health = httpx.get(f"{url}/health").json()
        body: dict[str, Any] = {"columns": names, "data": expected["rows"]}
        answers = httpx.post(f"{url}/predict", json=body).json()["predictions"]
    wrong = sum(1 for one, two in zip(answers, expected["predictions"], strict=True) if one != two)
    print(f"read-only root, user {config['User']}: ready in {ready_s:.2f} s, {health['status']},", end=" ")
    print(f"{len(answers)} rows answered, {wrong} otherwise than by xgboost itself")
    return wrong


def there(home: Path, made: ImageRecord, layout: Layout) -> bool:
    """Whether a registry of others has it, and another program reads it there and here."""
    if docker_registry.PROGRAM is None:
        print("docker-registry is not installed: not pushed")
        return True
    with docker_registry.running(home) as host:
        quarterdeck(home / "project-1", "image", "push", "3", "--to", f"{host}/team/late")
        head = httpx.head(
            f"http://{host}/v2/team/late/manifests/{made.tag}",
            headers={"accept": "application/vnd.oci.image.manifest.v1+json"},
        )
        found = [head.headers["docker-content-digest"]]
        if skopeo := shutil.which("skopeo"):
            for place in (f"docker://{host}/team/late:{made.tag}", f"oci:{layout.folder}:{made.tag}"):
                asked = [skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", place]
                asked = [each for each in asked if place.startswith("docker") or "tls" not in each]
                told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
                found.append(told.stdout.strip())
    print(f"pushed; its digest there: {', '.join(each[:19] for each in found)}")
    return set(found) == {made.digest}


if __name__ == "__main__":
    sys.exit(main())
