"""What variables say: of the workspace, also in a `.env` beside quarterdeck.yaml, and of whom to trust."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.system.files import read_regular
from core.system.suggest import nearest

FILE = ".env"
NAMED = {
    "subscription": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "workspace": "AZURE_WORKSPACE_NAME",
}
NEAR = 0.8
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(\s*=)?\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class ReadVariable:
    """What a variable says, and the place where it is written; `fault` is why it can't be read."""

    value: str
    place: str
    fault: str = ""


class Misread(str):
    """Stands for a value that somebody wrote so that it can't be read: why, and what to write."""

    __slots__ = ()


def workspace_from(folder: Path, environ: Mapping[str, str]) -> dict[str, ReadVariable]:
    """What is known of the workspace, by the names of the settings; a variable of the shell comes before the file."""
    written = _written(folder / FILE)
    shell = {key: ReadVariable(environ[name], name) for key, name in NAMED.items() if environ.get(name)}
    return {**written, **shell}


def named_ca(environ: Mapping[str, str]) -> str:
    """The file of authorities that variables name beside what this machine trusts; empty where none does."""
    return environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE") or ""


def _written(path: Path) -> dict[str, ReadVariable]:
    """What a `.env` says of these three; of its other lines nothing is kept, and no value of theirs is shown."""
    try:
        # Editors of another system begin a file with a mark of its encoding.
        lines = read_regular(path).decode("utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError:
        return dict.fromkeys(NAMED, ReadVariable("", FILE, "is not text in UTF-8; save it as such"))
    except OSError as error:
        return dict.fromkeys(NAMED, ReadVariable("", FILE, f"can't be read: {error.strerror or error}"))
    found: dict[str, ReadVariable] = {}
    for key, read in _each(lines):
        if not read.fault or key not in found:
            found[key] = read
    return found


def _each(lines: list[str]) -> Iterator[tuple[str, ReadVariable]]:
    keys = {name: key for key, name in NAMED.items()}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        name, equals, value = match.groups()
        place = f"{FILE}: line {number}: {name}"
        meant = name if name in keys else nearest(name.upper(), keys, NEAR)
        if not meant:
            continue
        if meant != name:
            yield keys[meant], ReadVariable("", place, f"is no variable that is looked for; write {meant}=…")
        elif not equals:
            yield keys[name], ReadVariable("", place, f"has no '='; write {name}=…")
        elif not (text := _unquoted(value)):
            yield keys[name], ReadVariable("", place, f"is empty; write {name}=…, or take the line out")
        else:
            yield keys[name], ReadVariable(text, place)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return "" if value.startswith("#") else value.partition(" #")[0].rstrip()
