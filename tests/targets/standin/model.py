"""The model of the stand-in: what it is to do, read from its folder."""

import json
from pathlib import Path
from typing import Any


def load(folder: str | Path) -> dict[str, Any]:
    """What this model does; raises ValueError for one that will not load."""
    model: dict[str, Any] = json.loads((Path(folder) / "model.json").read_text())
    if "broken" in model:
        raise ValueError(model["broken"])
    return model
