"""What variables say: of the workspace, also in a `.env` beside quarterdeck.yaml, and of whom to trust."""

import re
from collections.abc import Mapping
from pathlib import Path

FILE = ".env"
NAMED = {
    "subscription": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "workspace": "AZURE_WORKSPACE_NAME",
}
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")


def workspace_from(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What is known of the workspace, by the names of the settings; a variable of the shell comes before the file."""
    written = _written(folder / FILE)
    found = {key: environ.get(name) or written.get(name, "") for key, name in NAMED.items()}
    return {key: value for key, value in found.items() if value}


def named_ca(environ: Mapping[str, str]) -> str:
    """The file of authorities that variables name beside what this machine trusts; empty where none does."""
    return environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE") or ""


def _written(path: Path) -> dict[str, str]:
    """The lines of a `.env`, of which nothing but these three names is kept."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [match.groups() for line in lines if (match := _LINE.match(line))]
    return {name: _unquoted(value) for name, value in pairs if name in NAMED.values()}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()
