"""`quarterdeck smoke`: real rows to an endpoint, or to any address that answers as one, judged and kept in a file."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from core.config.config import endpoint_name, state_folder
from core.domain.errors import BadInput, Refused
from core.domain.model import Version
from core.engine.project import Project
from core.engine.project_environment import ROWS
from core.engine.smoke import keep, rows_of, smoke as send
from core.targets.kinds import kind_of
from core.targets.protocol import Address
from tui.headless import opened

MS = ("p50", "p95", "p99")


async def smoke(project: Project, url: str, requests: int, out_folder: Path, write: Callable[[str], None]) -> int:
    """Exit code 0 within the limits of the environment, else 1. `url` empty: what the environment serves."""
    settings, name = project.settings, endpoint_name(project.settings)
    async with opened(project, read_only=True) as engine:
        endpoint, version = engine.snapshot.endpoint(name), engine.snapshot.endpoint(name).served
        newest = engine.snapshot.release_of(name)
    known = version or (newest.version if newest is not None else None)
    if known is None:
        raise Refused(f"{name}: nothing was released here, so there are no rows to send; release once")
    rows = rows_of(state_folder(settings) / "models" / f"{known.model}-{known.number}" / ROWS, requests)
    expected = _expected(url, version)
    if not url and (version is None or not endpoint.url):
        raise Refused(f"{name} serves nothing; name an address, or release to {settings.environment}")
    key = _key(project) if settings.endpoint.key_env else ""
    result = await send(Address(_checked(url or endpoint.url), {}, key), rows, expected, requests)
    limits = settings.release.smoke_limits
    times = ", ".join(f"{name} {result.latency.percentile_ms(float(name[1:])) or 0:.1f} ms" for name in MS)
    write(f"{result.ok} of {result.asked} answers right, {times}{'' if result.available else ', /health is not well'}")
    for kind, count in sorted(result.failed.items(), key=lambda one: -one[1]):
        write(f"  {count} {kind}: {result.examples[kind]}")
    path = keep(result.figures(limits), out_folder)
    problems = result.problems(limits)
    for problem in problems:
        write(f"failed: {problem}")
    write(f"{'failed' if problems else 'passed'} by the limits of {settings.environment}; {path}")
    return 1 if problems else 0


def _expected(url: str, version: Version | None) -> Version | None:
    """Of what we serve ourselves it is known which version must answer."""
    return None if url else version


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"{url}: not an address; write http://HOST:PORT")
    return url


def _key(project: Project) -> str:
    settings = project.settings
    known = kind_of(settings.target).key(settings, endpoint_name(settings))
    return os.environ.get(settings.endpoint.key_env or "") or known
