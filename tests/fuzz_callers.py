"""Strangers at an endpoint: random requests in all forms and headers, each of which must get an answer, none a 5xx.

    python -m tests.fuzz_callers --url http://127.0.0.1:8080 --requests 50000

By hand against an endpoint that serves; its fields are read from /metadata. It prints the answers by status, and
the requests that failed or hung, with the seed that sends them again.
"""

import argparse
import csv
import gzip
import http.client
import io
import json
import os
import random
import socket
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 20.0
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1e300,
    10**400,
    "",
    "NaN",
    "62,644",
    "ü\u0000x",
    [],
    {},
    [[1]],
    "x" * 5000,
)
METHODS = (*("POST",) * 45, "GET", "PUT", "HEAD", "OPTIONS", "BREW")
TYPES = (
    "application/json",
    "text/csv",
    "text/plain",
    "application/JSON; charset=utf-8",
    "application/json; charset=x",
    "\xff",
    "",
)
PAGES = (
    "/",
    "/health",
    "/health/ready",
    "/metadata",
    "/metrics",
    "/nowhere",
    "/v2",
    "/v2/health/ready",
    "/%ff",
    "//",
    "/ping",
)


@dataclass(frozen=True, slots=True)
class Form:
    """What an endpoint takes: the names of its fields, a row that fits, its model's name and version."""

    names: list[str]
    row: list[Any]
    model: str
    version: str


class Stranger:
    """Makes requests. The same seed makes the same ones."""

    def __init__(self, form: Form, seed: int) -> None:
        self._form = form
        self._dice = random.Random(seed)

    def request(self) -> bytes:
        """The bytes of one request; its length may be wrong, its framing any."""
        dice = self._dice
        path, kind, body = self._content()
        method = dice.choice(METHODS)
        if dice.random() < 0.1:
            path = dice.choice(PAGES)
        if dice.random() < 0.15:
            path += dice.choice(
                (
                    "?probabilities=1",
                    "?notes=1",
                    "?notes=1&probabilities=1",
                    "?probabilities=maybe",
                    "?probabilities",
                    "?%ff=&&=&probabilities=%00",
                )
            )
        headers = {"host": "x", "content-type": dice.choice(TYPES) if dice.random() < 0.1 else kind}
        if dice.random() < 0.1:
            del headers["content-type"]
        if dice.random() < 0.15:
            body = gzip.compress(body)[: dice.choice((None, None, 9))]
            headers["content-encoding"] = dice.choice(("gzip", "GZIP", "gzip", "br", "gzip, gzip"))
        if dice.random() < 0.1:
            headers[dice.choice(("authorization", "x-api-key", "accept", "expect", "x-quarterdeck-slot"))] = (
                dice.choice(("Bearer x", "bearer", "\xff\xfe", "100-continue", "*/*", ""))
            )
        if dice.random() < 0.1:
            body = self._damaged(body)
        return self._framed(method, path, headers, body)

    def _framed(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        dice = self._dice
        version = "1.0" if dice.random() < 0.05 else "1.1"
        if version == "1.1" and dice.random() < 0.2:
            headers["transfer-encoding"] = "chunked"
            size = dice.randint(1, max(1, len(body)))
            parts = [body[at : at + size] for at in range(0, len(body), size)][:50]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            headers["content-length"] = str(len(body))
        lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + body

    def _damaged(self, body: bytes) -> bytes:
        dice, at = self._dice, self._dice.randint(0, len(body))
        return body[:at] + dice.randbytes(dice.randint(0, 5)) + body[at + dice.randint(0, 5) :]

    def _content(self) -> tuple[str, str, bytes]:
        """Path, content type and body in one of the forms."""
        dice, form = self._dice, self._form
        rows = [self._row() for _ in range(dice.choice((0, 1, 1, 1, 2, 30)))]
        if dice.random() < 0.1:
            return "/invocations", "text/csv", self._csv(rows)
        if dice.random() < 0.15:
            path = f"/v2/models/{form.model}{dice.choice(('', f'/versions/{form.version}'))}/infer"
            return path, "application/json", _json(self._tensors(rows))
        records = [dict(zip(form.names, row, strict=False)) for row in rows]
        columns = {name: [record.get(name) for record in records] for name in form.names}
        bodies: list[Callable[[], Any]] = [
            lambda: {"data": rows},
            lambda: {"data": rows, "notes": dice.choice((True, False, 1))},
            lambda: {"instances": dice.choice((rows, records, columns))},
            lambda: {"inputs": dice.choice((rows, records, columns))},
            lambda: {"dataframe_split": {"columns": form.names, "data": rows}},
            lambda: {"dataframe_records": records, "probabilities": dice.choice((True, False, None, "yes"))},
            lambda: records[0] if records else {},
            lambda: rows,
            lambda: dice.choice(ODD),
            lambda: {dice.choice(("data", "inputs", "dataframe_split", "instances", "x")): dice.choice(ODD)},
        ]
        return dice.choice(("/predict", "/score", "/invocations")), "application/json", _json(dice.choice(bodies)())

    def _row(self) -> list[Any]:
        row = list(self._form.row)
        if self._dice.random() < 0.2:
            row[self._dice.randrange(len(row))] = self._dice.choice(ODD)
        if self._dice.random() < 0.05:
            row = row[: self._dice.randrange(len(row) + 1)]
        return row

    def _csv(self, rows: list[list[Any]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows([self._form.names, *rows])
        return text.getvalue().encode()

    def _tensors(self, rows: list[list[Any]]) -> dict[str, Any]:
        dice, names = self._dice, self._form.names
        if dice.random() < 0.3:
            shape = [len(rows), dice.choice((len(names), 1, -1))]
            return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP64", "data": rows}]}
        whole = [row for row in rows if len(row) == len(names)]
        return {
            "id": dice.choice(("a", None, 3)),
            "inputs": [
                {
                    "name": name,
                    "shape": dice.choice(([len(whole)], [len(whole), 1], [7], ODD)),
                    "datatype": dice.choice(("BYTES", "FP64", "INT32", "?")),
                    "data": [row[place] for row in whole],
                }
                for place, name in enumerate(names)
            ],
        }


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def fuzz(address: tuple[str, int], requests: int, seed: int = 0, key: str = "") -> dict[int, int]:
    """Send so many requests and count the answers by status; `AssertionError` names one that failed or hung."""
    stranger = Stranger(_form(address, key), seed)
    statuses: Counter[int] = Counter()
    for number in range(requests):
        sent = stranger.request()
        try:
            status = _status(address, sent)
        except (OSError, http.client.HTTPException) as error:
            raise AssertionError(f"request {number} of seed {seed} has no answer ({error!r}): {sent[:500]!r}") from None
        assert status < 500 or status == 501, f"request {number} of seed {seed} got {status}: {sent[:500]!r}"
        statuses[status] += 1
    return dict(statuses)


def _form(address: tuple[str, int], key: str) -> Form:
    line = http.client.HTTPConnection(*address, timeout=WAIT_S)
    line.request("GET", "/metadata", headers={"authorization": f"Bearer {key}"} if key else {})
    told = json.loads(line.getresponse().read())
    line.close()
    names = [field["name"] for field in told["fields"]]
    return Form(names, [told["example"].get(name) for name in names], told["model_name"], told["model_version"])


def _status(address: tuple[str, int], sent: bytes) -> int:
    with socket.create_connection(address, timeout=WAIT_S) as line:
        # Where the answer comes before the end of a request, the rest of it can't be sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(sent)
        answer = http.client.HTTPResponse(line, method=sent.split(b" ", 1)[0].decode())
        answer.begin()
        answer.read()
        return answer.status


def main() -> int:
    """Fuzz an endpoint from the command line."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--url", required=True)
    options.add_argument("--requests", type=int, default=50_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    url = urlsplit(chosen.url)
    began_s = perf_counter()
    try:
        key = os.environ.get("QUARTERDECK_KEY", "")
        statuses = fuzz((url.hostname or "127.0.0.1", url.port or 80), chosen.requests, chosen.seed, key)
    except AssertionError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    for status, count in sorted(statuses.items()):
        sys.stdout.write(f"{status} {count:>7}\n")
    sys.stdout.write(
        f"{sum(statuses.values())} requests answered in {perf_counter() - began_s:.0f} s, no 5xx, no hang\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
