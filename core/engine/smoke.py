"""A new slot tried before it takes traffic: real rows, sent to it alone; answers, their form and their times judged."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from core.config.serving import SmokeLimits
from core.domain.errors import Failed
from core.domain.histogram import Histogram
from core.domain.model import Version
from core.targets.protocol import Address

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 5.0
AT_ONCE = 8
PATIENCE_S = 20.0
"""A router or a host that dies is back by then; until it is, nothing was said about the version."""
AGAIN_S = 0.2
RESULTS = "smoke_test_results.json"
NO_ANSWER = frozenset({"timeout", "connect"})
"""Kinds of failure in which nothing came back."""
OK, UNAVAILABLE = 200, 503


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


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What the requests of a smoke test came to. `failed` counts by kind, `examples` holds the first of each."""

    asked: int
    available: bool
    latency: Histogram
    failed: Mapping[str, int]
    examples: Mapping[str, str]

    @property
    def ok(self) -> int:
        """How many answers were right."""
        return self.asked - sum(self.failed.values())

    @property
    def success_percent(self) -> float:
        """The share of right answers."""
        return 100 * self.ok / self.asked if self.asked else 0.0

    def problems(self, limits: SmokeLimits) -> list[str]:
        """What is beyond its limit, in words."""
        said = [] if self.available else ["/health did not answer 200"]
        if self.success_percent < limits.success_percent:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.failed.items(), key=lambda one: -one[1]))
            first = next(iter(self.examples.values()), "no answer")
            share = f"{self.ok} of {self.asked} answers right, at least {limits.success_percent:g} % asked"
            said.append(f"{share} ({kinds}; the first: {first})")
        for percent, limit in ((50, limits.p50_ms), (95, limits.p95_ms), (99, limits.p99_ms)):
            ms = self.latency.percentile_ms(percent)
            if ms is None:
                said.append(f"p{percent} is not known, limit {limit:g} ms")
            elif ms > limit:
                said.append(f"p{percent} {ms:.0f} ms is above {limit:g} ms")
        return said

    def figures(self, limits: SmokeLimits) -> Mapping[str, Any]:
        """As it is kept in `smoke_test_results.json`. Times in milliseconds, shares in percent."""
        found = self.problems(limits)
        return {
            "passed": not found,
            "problems": found,
            "requests": self.asked,
            "right": self.ok,
            "success_percent": round(self.success_percent, 2),
            "available": self.available,
            "failed": dict(self.failed),
            "examples": dict(self.examples),
            **{f"p{percent}_ms": _rounded(self.latency.percentile_ms(percent)) for percent in (50, 95, 99)},
            "limits": limits.model_dump(),
        }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


async def smoke(address: Address, rows: Sequence[Any], version: Version | None, checks: int) -> SmokeResult:
    """Send `checks` rows to an address, or to one slot of it. `version`: the one that must answer, if one must."""
    gate = asyncio.Semaphore(AT_ONCE)
    examples: dict[str, str] = {}
    await load_client()
    async with _client(address, TIMEOUT_S) as client:
        until = asyncio.get_running_loop().time() + PATIENCE_S

        async def check(row: Any) -> tuple[str, float]:
            async with gate:
                wrong, ms = await _check(client, row, version, until)
            if wrong is not None:
                examples.setdefault(wrong.kind, wrong.text)
            return (wrong.kind if wrong is not None else ""), ms

        answered = await asyncio.gather(*(check(rows[i % len(rows)]) for i in range(checks)))
        available = await _healthy(client)
    failed = Counter(kind for kind, _ in answered if kind)
    # What nobody answered took no time that could be judged.
    latency = Histogram.of(ms for kind, ms in answered if kind not in NO_ANSWER)
    return SmokeResult(checks, available, latency, dict(failed), examples)


async def load_client() -> None:
    """In a thread, by whoever sends first: it takes a tenth of a second, and most commands send nothing."""
    await asyncio.to_thread(import_module, "httpx")


def _client(address: Address, timeout_s: float) -> "httpx.AsyncClient":
    import httpx  # noqa: PLC0415

    headers = {**address.headers, **({"authorization": f"Bearer {address.key}"} if address.key else {})}
    return httpx.AsyncClient(base_url=address.url, headers=headers, timeout=timeout_s, trust_env=False)


async def _healthy(client: "httpx.AsyncClient") -> bool:
    import httpx  # noqa: PLC0415

    try:
        return (await client.get("/health")).status_code == OK
    except httpx.HTTPError:
        return False


def keep(figures: Mapping[str, Any], folder: Path) -> Path:
    """Write `smoke_test_results.json` into a folder, made if it is not there; raises Failed."""
    path = folder / RESULTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failed(f"{path}: the results of the smoke test can't be written: {error.strerror or error}") from error
    return path


async def answers_as(address: Address, version: Version, within_s: float = 1.0) -> bool:
    """Whether whoever stands at an address answers well, as this version, at this moment."""
    await load_client()
    import httpx  # noqa: PLC0415

    try:
        async with asyncio.timeout(within_s), _client(address, within_s) as client:
            answer = await client.get("/health")
    except (httpx.HTTPError, TimeoutError):
        return False
    said = unquote(answer.headers.get("x-model-version", ""))
    return answer.status_code == OK and said == version.number


async def about(address: Address) -> Mapping[str, object]:
    """What a service says of its model (`/metadata`); nothing where it says nothing."""
    await load_client()
    import httpx  # noqa: PLC0415

    try:
        async with _client(address, TIMEOUT_S) as client:
            answer = await client.get("/metadata")
            said = answer.json() if answer.status_code == OK else None
    except (httpx.HTTPError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with one answer: its kind, and in words."""

    kind: str
    text: str


async def _check(
    client: "httpx.AsyncClient", row: Any, version: Version | None, until: float
) -> tuple[_Wrong | None, float]:
    """What is wrong with one answer, if anything, and its milliseconds. Where nobody answers, it is asked again."""
    import httpx  # noqa: PLC0415

    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        late = began >= until
        try:
            answer = await client.post("/predict", json=row)
        except httpx.TimeoutException:
            if late:
                return _Wrong("timeout", f"no answer within {TIMEOUT_S:g} s"), 0.0
        except httpx.TransportError as error:
            if late:
                return _Wrong("connect", f"{type(error).__name__} {error}".strip()), 0.0
        except httpx.HTTPError as error:
            return _Wrong("connect", f"{type(error).__name__} {error}".strip()), 0.0
        else:
            if late or answer.status_code != UNAVAILABLE:
                return _judged(answer, version), 1000 * (clock() - began)
        await asyncio.sleep(AGAIN_S)


def _judged(answer: "httpx.Response", version: Version | None) -> _Wrong | None:
    if answer.status_code != OK:
        return _Wrong(str(answer.status_code), f"{answer.status_code} {answer.text[:200]}")
    said = answer.headers.get("x-model-version")
    if version is not None and said != version.number:
        return _Wrong("version", f"version {said} answered instead of {version.number}")
    try:
        body = answer.json()
    except ValueError:
        return _Wrong("format", f"no JSON but {answer.text[:200]!r}")
    predictions = body.get("predictions") if isinstance(body, dict) else None
    good = isinstance(predictions, list) and len(predictions) == 1
    return None if good else _Wrong("format", "no prediction in the answer")
