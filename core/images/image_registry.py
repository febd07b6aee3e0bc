"""A registry of images, over the distribution API of the OCI: has it a blob, take one, which digest has a tag.

Every wait has an end, and no secret reaches the text of an error.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

import httpx

from core.domain.errors import Unreachable
from core.domain.image_reference import Reference
from core.images.answers import ONCE_MORE, TRIES, away, refusal
from core.images.credentials import Credentials
from core.images.layout import Blob
from core.images.login import is_local, login

CONNECT_S = 10.0
SILENT_S = 60.0
AGAIN_S = 1.0
MOST_AGAIN_S = 30.0
PIECE = 1 << 20
MOVED = frozenset({301, 302, 303, 307, 308})

Body: TypeAlias = Callable[[], AsyncIterator[bytes]]
"""A body that can be sent more than once."""


class ImageRegistry:
    """One repository of a registry. `who` is asked for credentials when the registry wants to know who we are."""

    def __init__(self, place: Reference, who: Callable[[], Credentials | None]) -> None:
        self.place = place
        self._who = who
        self._known: Credentials | None = None
        self._header = ""
        local = is_local(place.registry)
        self.base = f"{'http' if local else 'https'}://{place.registry}/v2/{place.repository}"
        timeout = httpx.Timeout(SILENT_S, connect=CONNECT_S)
        # What is on this machine is never asked by way of a proxy.
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=not local, follow_redirects=False)

    async def close(self) -> None:
        """End every connection."""
        await self._client.aclose()

    async def has(self, digest: str) -> bool:
        """Whether a blob is there."""
        answer = await self._ask("HEAD", f"{self.base}/blobs/{digest}", {200, 404, *MOVED})
        return answer.status_code != httpx.codes.NOT_FOUND

    async def take(self, blob: Blob, path: Path) -> None:
        """Send a blob; the registry checks its digest."""
        headers = {"content-type": "application/octet-stream", "content-length": str(blob.size)}
        for left in reversed(range(TRIES)):
            where = await self._upload(blob)
            try:
                # An upload that broke can't be gone on with: another try begins another.
                await self._ask("PUT", where, {201, 204}, headers, lambda: _pieces(path), tries=1)
                return
            except Unreachable:
                if not left:
                    raise
                await asyncio.sleep(AGAIN_S)

    async def _upload(self, blob: Blob) -> str:
        """Where a blob is to be sent."""
        begin = f"{self.base}/blobs/uploads/"
        answer = await self._ask("POST", begin, {202})
        where = urljoin(begin, answer.headers.get("location", ""))
        if begin.startswith("https:"):
            # A registry behind a proxy may not know by which way it is asked.
            where = where.replace("http://", "https://", 1) if where.startswith("http://") else where
        return f"{where}{'&' if urlsplit(where).query else '?'}digest={blob.digest}"

    async def name(self, tag: str, kind: str, content: bytes) -> None:
        """Have a tag mean a manifest, all of whose blobs are there."""
        headers = {"content-type": kind, "content-length": str(len(content))}
        await self._ask("PUT", f"{self.base}/manifests/{tag}", {200, 201}, headers, lambda: _whole(content))

    async def digest_of(self, tag: str, kind: str) -> str | None:
        """Which manifest a tag or a digest means there; None where it means none."""
        headers = {"accept": kind}
        answer = await self._ask("HEAD", f"{self.base}/manifests/{tag}", {200, 404}, headers)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if told := answer.headers.get("docker-content-digest"):
            return str(told)
        answer = await self._ask("GET", f"{self.base}/manifests/{tag}", {200}, headers)
        return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"

    async def _ask(
        self,
        method: str,
        url: str,
        fine: set[int],
        headers: Mapping[str, str] = MappingProxyType({}),
        body: Body | None = None,
        tries: int = TRIES,
    ) -> httpx.Response:
        """One question, asked again where that may help: the way was down, or a token is too old by now."""
        proved = False
        for left in reversed(range(tries)):
            try:
                answer = await self._send(method, url, headers, body)
                if answer.status_code == httpx.codes.UNAUTHORIZED and not proved:
                    proved = True
                    await self._prove(answer)
                    answer = await self._send(method, url, headers, body)
            except Unreachable:
                if not left:
                    raise
                await asyncio.sleep(AGAIN_S)
                continue
            if answer.status_code in fine:
                return answer
            if answer.status_code not in ONCE_MORE or not left:
                raise refusal(self.place, answer, self._known, self._header)
            await asyncio.sleep(_after(answer))
        raise AssertionError("the last try returns or raises")

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> httpx.Response:
        sent = dict(headers)
        # An upload may lie elsewhere, and that place has no right to our token.
        if self._header and urlsplit(url)[:2] == urlsplit(self.base)[:2]:
            sent["authorization"] = self._header
        try:
            return await self._client.request(method, url, headers=sent, content=body() if body else None)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise away(self.place.registry, error) from None

    async def _prove(self, answer: httpx.Response) -> None:
        """Say who we are, in the way that the registry wants it."""
        self._known = await asyncio.to_thread(self._who)
        self._header = await login(self._client, self.place, answer, self._known)


def _after(answer: httpx.Response) -> float:
    """How long a registry wants to be left alone, within reason."""
    told: Any = answer.headers.get("retry-after", "")
    return min(float(told), MOST_AGAIN_S) if str(told).isdecimal() else AGAIN_S


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
