"""A disk so small that a test can fill it."""

import subprocess
from pathlib import Path


def small_disk(folder: Path) -> list[str] | None:
    """What runs a command with a disk of 3 MB at a folder, where this machine lets us have one."""
    script = f'mount -t tmpfs -o size=3m none {folder} && exec "$@"'
    call = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    try:
        probe = subprocess.run([*call, "true"], check=False, capture_output=True, timeout=10)
    except OSError:
        return None
    return call if probe.returncode == 0 else None
