"""Where nobody asks for anything: is it them, or is it us? Asked as a caller would."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from core.config.config import state_folder
from core.config.settings import Settings
from core.domain.errors import Failed
from core.engine.engine import Engine
from core.engine.smoke import rows_of
from core.targets.kinds import kind_of

Probe = Callable[[], Awaitable[str]]
TIMEOUT_S = 5.0


def probe_of(settings: Settings, endpoint: str, engine: Engine) -> Probe:
    """What asks the endpoint of these settings."""

    async def probe() -> str:
        known = engine.snapshot.endpoint(endpoint)
        folder = state_folder(settings)
        rows = None
        if (version := known.served) is not None:
            rows = folder / "models" / f"{version.model}-{version.number}" / "rows.jsonl"
        return await ask(known.url, kind_of(settings.target).key(settings, endpoint), rows)

    return probe


async def ask(url: str, key: str, rows: Path | None) -> str:
    """Which of them it is, in words: /health, a request with the key, or nobody who asks."""
    import httpx  # noqa: PLC0415 - a watch that need not ask does not load it

    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            health = await client.get("/health")
        except httpx.HTTPError as error:
            return f"it is /health: no answer ({type(error).__name__})"
        if health.status_code != httpx.codes.OK:
            return f"it is /health: it answers {health.status_code}"
        try:
            row: Any = rows_of(rows, 1)[0] if rows is not None else None
        except Failed:
            row = None
        if row is None:
            return "/health answers well; there is no row to send a request with"
        try:
            answer = await client.post("/predict", json=row)
        except httpx.HTTPError as error:
            return f"it is the request: /health answers, a request does not ({type(error).__name__})"
    with_key = "with the endpoint's key" if key else "without a key"
    if answer.status_code in (401, 403):
        return f"it is the key: /health answers, a request {with_key} gets {answer.status_code}"
    if answer.status_code != httpx.codes.OK:
        return f"it is the request: /health answers, a request {with_key} gets {answer.status_code}"
    version = unquote(answer.headers.get("x-model-version", ""))
    return f"it is nobody who asks: /health and a request {with_key} are answered{f' by v{version}' if version else ''}"
