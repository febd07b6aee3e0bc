"""Debian's docker-registry on loopback; where it is not installed tests are skipped."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.ports import free_port

PROGRAM = shutil.which("docker-registry")
START_S = 20.0


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its host and port; what it holds lies in the folder."""
    assert PROGRAM is not None
    port = free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{folder / 'kept'}'}}}}\n"
    )
    process = subprocess.Popen(
        [PROGRAM, "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + START_S
        while True:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/v2/", trust_env=False)
                break
            assert process.poll() is None, "docker-registry ended by itself"
            assert time.monotonic() < until, "docker-registry does not listen"
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
