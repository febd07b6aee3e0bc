"""What a release needs of the shell it was begun in: its registry, database and credentials, the endpoint's key.

Kept for each release in a file of its owner's alone, while its way back is open: a rollback from a bare shell, or by
the watch process, finds the same registry. Never in the journal.
"""

import json
import os
from collections.abc import Container, Mapping
from pathlib import Path

from core.config.config import state_folder
from core.config.settings import SQL, Settings, SqlSettings
from core.domain.errors import BadInput
from core.engine.named_files import gone, mended

FOLDER = "variables"
NAME = "variables_of"
"""The option of a release that says under which name its variables are kept."""
_PREFIXES = ("MLFLOW_", "AWS_", "AZURE_", "GOOGLE_", "DATABRICKS_", "S3_", "QUARTERDECK_", "ECR_", "DOCKER_")
_NAMES = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
        *("KRB5CCNAME", "KUBECONFIG", "REGISTRY_AUTH_FILE"),
        *("GITHUB_RUN_NUMBER", "BUILD_BUILDID"),
    }
)


def _ours(name: str, settings: Settings) -> bool:
    """Whether a release may need this variable; those that the settings name are of any name."""
    sql = settings.data.sql
    named = {settings.endpoint.key_env, None if sql is None else sql.url_env, *tokens(settings)}
    return name.startswith(_PREFIXES) or name in _NAMES or name in named


def tokens(settings: Settings) -> set[str]:
    """The variables with the tokens of those who are asked for what gates judge."""
    return {gate.source.token_env for gate in settings.release.all_gates if gate.source and gate.source.token_env}


def of_shell(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of this shell that a release may need."""
    given = os.environ if environ is None else environ
    return {name: value for name, value in given.items() if _ours(name, settings)}


def check(settings: Settings, environ: Mapping[str, str] | None = None, reads_rows: bool = False) -> None:
    """Raise BadInput where a release from this shell has a key that no request can carry, or would lack a token that
    its gates ask with, or the database that its rows are in, where it reads them."""
    given = os.environ if environ is None else environ
    settings.endpoint.carried(given.get(settings.endpoint.key_env or "", "").strip())
    if missing := sorted(name for name in tokens(settings) if not given.get(name)):
        raise BadInput(f"release.gates: the variable {missing[0]} is not set; set it to the token of a gate's source")
    if reads_rows and settings.data.source == SQL:
        _check_database(settings.data.sql, given)


def _check_database(sql: SqlSettings | None, given: Mapping[str, str]) -> None:
    if sql is None:
        raise BadInput("data.source: sql needs data.sql, with a query and the address of its database")
    if sql.url_env and not given.get(sql.url_env):
        raise BadInput(f"data.sql.url_env: the variable {sql.url_env} is not set; set it to the database's address")
    if not (sql.url_env or sql.url):
        raise BadInput("data.sql: names no database; set url, or url_env to the variable that holds its address")


def keep(settings: Settings, name: str, reads_rows: bool = False) -> None:
    """Keep this shell's variables under a release's name; raises BadInput where one is missing or can't be written."""
    check(settings, reads_rows=reads_rows)
    _write(state_folder(settings) / FOLDER, name, of_shell(settings))


def _write(folder: Path, name: str, variables: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(variables, file)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(folder / f"{name}.json")
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror or error}; a release keeps its registry's address there") from error


def environ(settings: Settings, name: object) -> Mapping[str, str]:
    """The environment for the children of a release: this process's, with the release's own variables in it.

    Of those, one that names a file that is gone gives way to this process's own.
    """
    found = kept(state_folder(settings), name)
    if found is None:
        return dict(os.environ)
    rest = {name: value for name, value in os.environ.items() if not _ours(name, settings)}
    return rest | mended(found, of_shell(settings))


def lend(settings: Settings, name: object) -> dict[str, str]:
    """Keep this shell's variables for those of a release that name a file that is gone; what they named is told."""
    folder = state_folder(settings)
    found = kept(folder, name)
    lost = {} if found is None else gone(found)
    if found is None or not lost:
        return {}
    changed = mended(found, of_shell(settings))
    if changed == found:
        return {}
    _write(folder / FOLDER, str(name), changed)
    return {one: path for one, path in lost.items() if changed.get(one) != path}


def lacking(settings: Settings, name: object) -> str:
    """Which variable of a release, or of this process where it kept none, names what is gone, in words; else empty."""
    found = kept(state_folder(settings), name)
    lost = gone(of_shell(settings) if found is None else found)
    whose = "here" if found is None else f"as {name} was begun with"
    return "; ".join(f"{one} {whose} names {path}, which is gone" for one, path in lost.items())


def differing(settings: Settings, name: object) -> tuple[str, ...]:
    """The variables of this shell that a release was begun with otherwise; none where nothing was kept of it."""
    found, here = kept(state_folder(settings), name), of_shell(settings)
    return () if found is None else tuple(sorted(one for one, value in here.items() if found.get(one) != value))


def written_ns(settings: Settings, name: object) -> int | None:
    """When a release's variables were kept; None where none are."""
    try:
        return (state_folder(settings) / FOLDER / f"{name}.json").stat().st_mtime_ns
    except OSError:
        return None


def kept(folder: Path, name: object) -> dict[str, str] | None:
    """What was kept under a release's name in a state folder; None where nothing is."""
    try:
        found: dict[str, str] = json.loads((folder / FOLDER / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    return found


def forget_others(folder: Path, needed: Container[str]) -> None:
    """Remove what was kept in a state folder for releases that are not in `needed`."""
    for path in (folder / FOLDER).glob("*.json"):
        if path.stem not in needed:
            path.unlink(missing_ok=True)
