"""One bounded GET of somebody else's figure: no redirect is followed, nothing is unpacked, no wait is without an end.

No address but its host, and no token, reaches the text of an error.
"""

import asyncio
import importlib
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

from core.domain.errors import Failed, Unreachable
from core.domain.sources import MetricSource
from core.elsewhere.documents import parsed
from core.system.files import check_regular

MOST_BYTES = 1 << 19
ALLOWED = 200


@cache
def _library() -> Any:
    # Who only looks does without it.
    return importlib.import_module("httpx")


@cache
def _trust(ca: str) -> Any:
    """Made once: it reads some hundred certificates."""
    try:
        if ca:
            check_regular(Path(ca))
        made = importlib.import_module("ssl").create_default_context(cafile=ca) if ca else None
        return made or _library().create_ssl_context()
    except OSError as error:
        raise Failed(f"ca {ca}: {error.strerror or error}") from None


async def get(source: MetricSource, url: str, parameters: Mapping[str, str], token: str) -> bytes:
    """The body of a 200; raises Unreachable where nobody answers, Failed for any other answer."""
    httpx = await asyncio.to_thread(_library)
    trust = await asyncio.to_thread(_trust, source.ca)
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    try:
        async with asyncio.timeout(source.timeout_s), AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=source.timeout_s, verify=trust))
            address = httpx.URL(url).copy_merge_params(parameters)
            answer = await stack.enter_async_context(client.stream("GET", address, headers=headers))
            return await _body(answer)
    except (TimeoutError, httpx.TimeoutException):
        raise Unreachable(f"no answer within {source.timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Unreachable(f"can't be reached ({type(error).__name__})") from None


async def _body(answer: Any) -> bytes:
    """All of it, within bounds."""
    body = bytearray()
    if answer.has_redirect_location:
        raise Failed(f"answered {answer.status_code}: it sends to another address, which is not followed")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Failed("packs its answer, which was not asked for")
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            raise Failed(f"answers with more than {MOST_BYTES // 1024} KiB; one figure is needed")
    if answer.status_code != ALLOWED:
        raise Failed(f"answered {answer.status_code}{_said(bytes(body))}")
    return bytes(body)


def _said(body: bytes) -> str:
    """What a server says of its own error, where it says it as Prometheus does."""
    with suppress(Failed):
        document = parsed(body)
        said = document.get("error") if isinstance(document, dict) else None
        return f": {said[:120]}" if isinstance(said, str) else ""
    return ""
