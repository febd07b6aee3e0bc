"""The image as a plain process: its layers unpacked into a folder that is that process's root."""

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.images.layout import Layout


def unpacked(layout: Layout, tag: str, root: Path) -> dict[str, Any]:
    """The image under a tag as a root file system; its config."""
    named = layout.manifest(tag)
    assert named is not None
    manifest = json.loads(layout.read(named.digest))
    for layer in manifest["layers"]:
        with tarfile.open(layout.path(layer["digest"])) as tar:
            tar.extractall(root, filter="fully_trusted")  # noqa: S202 - we packed it
    config: dict[str, Any] = json.loads(layout.read(manifest["config"]["digest"]))["config"]
    return config


def command(root: Path, config: dict[str, Any], *arguments: str) -> list[str]:
    """The program in that root, as the image's user where this process may say so; else by the image's own loader."""
    environment = dict(each.split("=", 1) for each in config["Env"])
    if os.geteuid() == 0:
        pairs = [f"{name}={value}" for name, value in environment.items()]
        user, _, group = config["User"].partition(":")
        return ["env", "-i", *pairs, str(shutil.which("chroot")), f"--userspec={user}:{group}", str(root), *arguments]
    environment |= {"PYTHONPATH": f"{root}/app", "PYTHONHOME": f"{root}/usr/local", "HOME": str(root / "tmp")}
    pairs = [f"{name}={value}" for name, value in environment.items()]
    loader = next(path for path in root.glob("lib*/ld-*") if path.is_file())
    libraries = next(path.parent for path in root.rglob("libc.so*"))
    there = [arguments[0].replace("python", f"{root}/usr/local/bin/python"), *arguments[1:]]
    there = [f"{root}{each}" if each == "/model" else each for each in there]
    return ["env", "-i", *pairs, str(loader), "--library-path", str(libraries), *there]


LOCKED = """\
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && exec "$@"
"""
"""Of the root a place that nobody can write, but for /tmp, as Kubernetes does; seen by this process alone."""


@contextlib.contextmanager
def serving(root: Path, config: dict[str, Any], locked: bool = False) -> Iterator[str]:
    """The service as the image starts it, on a free port; its address. `locked`: its root can't be written."""
    told = [*config["Entrypoint"], *config["Cmd"]]
    told[told.index("8080")] = "0"
    whole = [*(["unshare", "--mount", "sh", "-c", LOCKED, str(root)] if locked else []), *command(root, config, *told)]
    process = subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready "), line + (process.communicate(timeout=10)[1] if not line else "")
        yield f"http://127.0.0.1:{line.rpartition(':')[2].strip()}"
    finally:
        process.terminate()
        code = process.wait(10)
        process.communicate()
    assert code == 0
