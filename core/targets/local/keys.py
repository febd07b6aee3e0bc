"""The keys that callers of an endpoint send: in one file, readable by its owner alone.

Each slot has the key that it was deployed with, so there may be two. Everything else that is written down names a key
by `key_name`, which tells nobody what it is.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from pathlib import Path

from core.targets.local.secret import router_secret


def key_path(folder: Path) -> Path:
    """The file of an endpoint's folder."""
    return folder / "key"


def read_key(folder: Path) -> str:
    """The present key, or an empty string."""
    return _read(folder)[0]


def keep_key(folder: Path, key: str, *, present: bool = True) -> None:
    """Keep a key; `present`: whoever asks for the endpoint's key gets this one from now on."""
    now, others = _read(folder)
    if present:
        _write(folder, key, {one for one in (now, *others) if one not in {"", key}})
    elif key and key not in {now, *others}:
        _write(folder, now, {*others, key})


def forget_keys(folder: Path, used: Iterable[str]) -> None:
    """Keep the present key and these alone."""
    now, others = _read(folder)
    if others - set(used):
        _write(folder, now, others & set(used))


def key_name(folder: Path, key: str) -> str:
    """What a key is called in other files; empty for none."""
    return hmac.digest(router_secret(folder).encode(), key.encode(), hashlib.sha256).hex()[:16] if key else ""


def key_named(folder: Path, name: str) -> str:
    """The key of a name, or an empty string where it is not kept any more."""
    now, others = _read(folder)
    return next((key for key in (now, *others) if key and key_name(folder, key) == name), "")


def _read(folder: Path) -> tuple[str, set[str]]:
    try:
        text = key_path(folder).read_text()
    except FileNotFoundError:
        return "", set()
    try:
        content = json.loads(text)
        return str(content["present"]), set(content["others"])
    except (ValueError, KeyError, TypeError):
        return text, set()  # A host of an older version wrote the key alone.


def _write(folder: Path, present: str, others: set[str]) -> None:
    path = key_path(folder)
    others = others - {present}
    if not present and not others:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"present": present, "others": sorted(others)}, file)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
