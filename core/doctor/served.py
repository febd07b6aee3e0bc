"""What an endpoint serves, asked at its address: is it well, and one real request as a caller sends it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import httpx

from core.config.config import endpoint_name, state_folder
from core.config.settings import Settings
from core.domain.diagnosis import LOOK_S, Diagnoses, Examination, fail, ok, warn
from core.domain.errors import Failed
from core.domain.hints import typed
from core.domain.model import Version
from core.engine.project_environment import ROWS
from core.engine.smoke import rows_of
from core.state.endpoint import Endpoint
from core.system.aside import aside
from core.system.text import clean_line
from core.targets.kinds import kind_of

ASK_S = LOOK_S - 1


def examinations(settings: Settings, endpoint: Endpoint) -> list[Examination]:
    """Of one endpoint that serves something."""
    name, served = endpoint_name(settings), endpoint.served
    if served is None or not endpoint.url:
        return []
    key = partial(kind_of(settings.target).key, settings, name)
    rows = place(settings, served) / ROWS
    return [
        Examination("endpoint", lambda: answers(endpoint.url, served), name),
        Examination("predict", lambda: predicts(endpoint.url, key, rows, settings.environment), name, LOOK_S * 2),
    ]


def place(settings: Settings, version: Version) -> Path:
    """Where a version's model folder lies."""
    return state_folder(settings) / "models" / f"{version.model}-{version.number}"


async def answers(url: str, version: Version) -> Diagnoses:
    """Whether the address answers, and as the version that the journal says."""
    async with _client(url, "") as client:
        try:
            health = await client.get("/health")
        except httpx.HTTPError as error:
            return [fail(f"{url} gives no answer ({type(error).__name__})", "'quarterdeck status' says what runs")]
    if health.status_code != httpx.codes.OK:
        return [
            fail(f"{url}/health answers {health.status_code}", "'quarterdeck status', and the logs (l on the deck)")
        ]
    said = unquote(health.headers.get("x-model-version", ""))
    if said != version.number:
        told = f"{url} answers as version {said or 'unknown'}, the journal says {version.label}"
        return [warn(told, "'quarterdeck status': traffic may just be moving")]
    return [ok(f"{url} answers as {version.label}")]


async def predicts(url: str, key: Callable[[], str], rows: Path, environment: str = "") -> Diagnoses:
    """One request as a caller sends it: a row that the model was not trained on, else the model's own example."""
    secret = await aside(key)
    row = await aside(lambda: _row(rows))
    async with _client(url, secret) as client:
        what = "a held-out row" if row is not None else "its own example"
        try:
            body = row if row is not None else await _example(client)
            if not body:
                return [warn("there is no row to send, and the model names no example", "release once by training")]
            answer = await client.post("/predict", json=body)
        except (httpx.HTTPError, ValueError) as error:
            return [fail(f"{what} gets no answer ({type(error).__name__})", "'quarterdeck status' says what runs")]
    with_key = "with the endpoint's key" if secret else "without a key"
    status, text = answer.status_code, clean_line(answer.text, 160)
    if status == httpx.codes.OK:
        return [ok(f"{what} {with_key} gets 200: {clean_line(answer.text, 60)}")]
    if status in (401, 403):
        return [fail(f"{what} {with_key} gets {status}", "set the variable of endpoint.key_env to the key that serves")]
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return [
            fail(f"{what} is not understood (422): {text}", f"its fields are others: {typed('rollback', environment)}")
        ]
    return [
        fail(
            f"{what} {with_key} gets {status}: {text}", f"{typed('smoke', environment)} sends more, by kind of failure"
        )
    ]


def _row(rows: Path) -> object:
    try:
        return rows_of(rows, 1)[0]
    except Failed:
        return None


async def _example(client: httpx.AsyncClient) -> Mapping[str, object]:
    """What the model says that it takes."""
    about = (await client.get("/metadata")).json()
    example = about.get("example") if isinstance(about, dict) else None
    return {"dataframe_records": [example]} if isinstance(example, dict) and example else {}


def _client(url: str, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=ASK_S, trust_env=False)
