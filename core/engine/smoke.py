"""A new slot tried before it takes traffic: real rows, sent to it alone; every answer must be right."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from core.domain.errors import Failed
from core.domain.model import Version
from core.targets.protocol import Address

TIMEOUT_S = 5.0
AT_ONCE = 8
PATIENCE_S = 20.0
"""A router or a host that dies is back by then; until it is, nothing was said about the version."""
AGAIN_S = 0.2


def rows_of(path: Path, most: int) -> list[Any]:
    """Raw records from a file of JSON lines; raises Failed where there are none."""
    try:
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in itertools.islice(file, most) if line.strip()]
    except (OSError, ValueError) as error:
        raise Failed(f"{path}: no rows to send ({error}); release once without --skip train") from error
    if not rows:
        raise Failed(f"{path}: is empty; there are no rows to send")
    return rows


async def smoke(address: Address, rows: Sequence[Any], version: Version, checks: int) -> str:
    """Send `checks` rows to one slot; `50 of 50`. Raises Failed with the first answer that was wrong."""
    headers = dict(address.headers)
    if address.key:
        headers["authorization"] = f"Bearer {address.key}"
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=address.url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        until = asyncio.get_running_loop().time() + PATIENCE_S

        async def check(row: Any) -> str:
            async with gate:
                return await _check(client, row, version, until)

        wrong = [why for why in await asyncio.gather(*(check(rows[i % len(rows)]) for i in range(checks))) if why]
    if wrong:
        raise Failed(f"{len(wrong)} of {checks} answers were wrong; the first: {wrong[0]}")
    return f"{checks} of {checks}"


async def answers_as(address: Address, version: Version, within_s: float = 1.0) -> bool:
    """Whether whoever stands at an address answers well, as this version, at this moment."""
    headers = {**address.headers, **({"authorization": f"Bearer {address.key}"} if address.key else {})}
    try:
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(base_url=address.url, headers=headers, timeout=within_s, trust_env=False) as client,
        ):
            answer = await client.get("/health")
    except (httpx.HTTPError, TimeoutError):
        return False
    said = unquote(answer.headers.get("x-model-version", ""))
    return answer.status_code == httpx.codes.OK and said == version.number


async def _check(client: httpx.AsyncClient, row: Any, version: Version, until: float) -> str:
    """What is wrong with one answer; empty when nothing is. Where nobody answers, it is asked again until then."""
    while True:
        late = asyncio.get_running_loop().time() >= until
        try:
            answer = await client.post("/predict", json=row)
        except httpx.TransportError as error:
            if late:
                return f"{type(error).__name__} {error}".strip()
        except httpx.HTTPError as error:
            return f"{type(error).__name__} {error}".strip()
        else:
            if late or answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        await asyncio.sleep(AGAIN_S)
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code} {answer.text[:200]}"
    said = answer.headers.get("x-model-version")
    if said != version.number:
        return f"version {said} answered instead of {version.number}"
    try:
        body = answer.json()
    except ValueError:
        return f"no JSON but {answer.text[:200]!r}"
    predictions = body.get("predictions") if isinstance(body, dict) else None
    return "" if isinstance(predictions, list) and len(predictions) == 1 else "no prediction in the answer"
