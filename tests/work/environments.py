"""Environments as a release would have installed them, without an index: this interpreter's own packages."""

import json
import sys
from pathlib import Path

from core.images.needs import Needs


def seed(cache: Path, needs: Needs) -> None:
    """Take our own environment for the one that has these packages."""
    folder = cache / "quarterdeck" / "environments" / needs.digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(sys.prefix)
    folder.with_suffix(".json").write_text(json.dumps({"python": needs.python, "packages": needs.packages}))
