"""Figures out of real HTTP: of a Prometheus, of a JSON document, and one clear line for whoever answers otherwise."""

import json
from typing import Any

import pytest

from core.domain.errors import Failed, QuarterdeckError
from core.domain.sources import MetricSource, SourceAnswer, filled
from core.elsewhere import documents
from core.elsewhere.http import MOST_BYTES
from core.elsewhere.kinds import KINDS
from core.elsewhere.prometheus import PATH
from tests.elsewhere import servers
from tests.elsewhere.servers import Say, saying, serving

TOKEN = "s3cret-token-of-ours"


def source(kind: str, url: str = "http://127.0.0.1:1", query: str = "up", **more: Any) -> MetricSource:
    return MetricSource("figure", kind, url, query, timeout_s=2.0, **more)


async def asked(say: Say, kind: str = "prometheus", query: str = "up", token: str = "", **more: Any) -> SourceAnswer:
    async with serving(say) as server:
        return await KINDS[kind].ask(source(kind, server.url, query, **more), token)


def vector(*values: Any, kind: str = "vector") -> bytes:
    result = [{"metric": {"slot": f"s{place}"}, "value": value} for place, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def scalar(value: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "scalar", "result": value}}).encode()


async def test_prometheus_is_asked_its_question_with_the_token_and_how_old_a_value_may_be() -> None:
    async with serving(saying(vector([1700000000.5, "0.25"]))) as server:
        one = source("prometheus", f"{server.url}/prom/?tenant=a", 'rate(x{slot="green"}[1m]) > 0', max_age_s=30.0)
        assert await KINDS["prometheus"].ask(one, TOKEN) == SourceAnswer(0.25, 1700000000.5)
    (got,) = server.got
    assert got.path == f"/prom{PATH}"
    assert got.parameters == {"tenant": "a", "query": one.query, "timeout": "2s", "lookback_delta": "30s"}
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert await asked(saying(scalar([7, "3"]))) == SourceAnswer(3.0, 7.0)


async def test_a_whole_address_is_left_as_it_is_and_no_token_is_sent_where_none_is_named() -> None:
    async with serving(saying(scalar([7, "3"]))) as server:
        await KINDS["prometheus"].ask(source("prometheus", server.url + PATH), "")
    assert server.got[0].path == PATH
    assert "authorization" not in server.got[0].headers


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (vector(), "no series has a value now"),
        (vector([7, "NaN"]), "the value is NaN: no value"),
        (vector([7, "+Inf"]), "the value is infinite: no value"),
        (scalar([7, "-Inf"]), "the value is infinite: no value"),
    ],
)
async def test_no_value_is_no_error_and_no_number(body: bytes, why: str) -> None:
    answer = await asked(saying(body))
    assert (answer.value, answer.why) == (None, why)


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (saying(vector(*([7, "1"] for _ in range(3)))), "3 series; the query must give one, such as by sum(…)"),
        (saying(vector([7, "lots"])), "gives a value that is no number"),
        (saying(vector("7")), "gives a value that is no number"),
        (saying(vector(None)), "gives a value that is no number"),
        (saying(vector(kind="matrix")), "gives a matrix, no single number"),
        (saying(vector(kind="string")), "gives a string, no single number"),
        (saying(b"<html>sign in</html>"), "answers with what is no JSON"),
        (saying(b"[" * 100_000), "answers with what is no JSON"),
        (saying(b"\xff\xfe\x00"), "answers with what is no JSON"),
        (saying(b"3"), "does not answer as Prometheus does"),
        (saying(b'{"status": "success", "data": 3}'), "does not answer as Prometheus does"),
        (saying(b'{"status":"error","error":"parse error at char 3"}', 400), "answered 400: parse error at char 3"),
        (saying(b"{}", 401), "answered 401"),
        (saying(b"<html>", 503), "answered 503"),
        (saying(b"", 302, "location: http://127.0.0.1:1/elsewhere?token=x"),
         "answered 302: it sends to another address, which is not followed"),
        (saying(b"x", 200, "content-encoding: gzip"), "packs its answer, which was not asked for"),
        (saying(b"9" * (MOST_BYTES + 1)), "answers with more than 512 KiB; one figure is needed"),
        (servers.endless, "answers with more than 512 KiB; one figure is needed"),
        (servers.hanging_up, "can't be reached (RemoteProtocolError)"),
        (servers.speaking_otherwise, "can't be reached (RemoteProtocolError)"),
        (servers.long_winded, "can't be reached (RemoteProtocolError)"),
    ],
)  # fmt: skip
async def test_whoever_answers_otherwise_gets_one_line(say: Say, why: str) -> None:
    with pytest.raises(QuarterdeckError) as caught:
        await asked(say, token=TOKEN)
    assert str(caught.value) == why
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("say", [servers.silent, servers.dripping])
async def test_whoever_takes_too_long_is_left(say: Say) -> None:
    async with serving(say) as server:
        slow = MetricSource("figure", "json", server.url, "a", timeout_s=0.3)
        with pytest.raises(QuarterdeckError, match=r"^no answer within 0\.3 s$"):
            await KINDS["json"].ask(slow, "")


async def test_nobody_there_is_one_line_without_the_address() -> None:
    async with serving(servers.silent) as server:
        pass
    with pytest.raises(QuarterdeckError, match=r"^can't be reached \(ConnectError\)$"):
        await KINDS["json"].ask(source("json", f"{server.url}/?key={TOKEN}"), "")


@pytest.mark.parametrize(
    ("document", "query", "found"),
    [
        ({"data": {"rate": 0.5}}, "data.rate", 0.5),
        ({"items": [{"value": 1}, {"value": 2}]}, "items[1].value", 2.0),
        ([[3]], "[0][0]", 3.0),
        ({"a b": {"c-d": -7}}, "a b.c-d", -7.0),
    ],
)
async def test_a_number_in_a_document_is_found_by_its_path(document: Any, query: str, found: float) -> None:
    documents.check(source("json", query=query))
    assert await asked(saying(json.dumps(document).encode()), "json", query) == SourceAnswer(found)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": "3"}', "a is text, no number"),
        (b'{"a": true}', "a is true or false, no number"),
        (b'{"a": [1]}', "a is a list, no number"),
        (b'{"b": 1}', "has no a: a is not there"),
        (b"[1]", "has no a: a is not there"),
    ],
)
async def test_what_is_no_number_is_said(body: bytes, why: str) -> None:
    with pytest.raises(Failed) as caught:
        await asked(saying(body), "json", "a")
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": null}', "a is null"),
        (b'{"a": NaN}', "a is NaN: no value"),
        (b'{"a": 1e999}', "a is infinite: no value"),
        (b'{"a": 1' + b"0" * 400 + b"}", "a is infinite: no value"),
    ],
)
async def test_what_is_nothing_is_no_value(body: bytes, why: str) -> None:
    answer = await asked(saying(body), "json", "a")
    assert (answer.value, answer.why) == (None, why)


@pytest.mark.parametrize(
    ("time", "at"),
    [
        (1700000000, 1.7e9),
        (1700000000500, 1700000000.5),
        ("2023-11-14T22:13:20+00:00", 1.7e9),
        ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-15T00:13:20+02:00", 1.7e9),
    ],
)
async def test_a_value_may_say_when_it_was_so(time: Any, at: float) -> None:
    said = json.dumps({"a": 1, "at": time}).encode()
    assert await asked(saying(said), "json", "a", time="at") == SourceAnswer(1.0, at)


@pytest.mark.parametrize("time", ["yesterday", None, True, [1], "1e999"])
async def test_a_moment_that_is_none_is_said(time: Any) -> None:
    with pytest.raises(Failed, match="at is no moment: seconds since the epoch, or ISO 8601"):
        await asked(saying(json.dumps({"a": 1, "at": time}).encode()), "json", "a", time="at")


@pytest.mark.parametrize("path", ["a..b", ".a", "a[x]", "a[", "a]", "a.[0]"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path in a JSON document"):
        documents.check(source("json", query=path))


def test_names_are_filled_in_and_nothing_else_can_be() -> None:
    one = source("json", "http://h/{{endpoint}}/{{ slot }}", "v.{{version}}")
    found = filled(one, {"endpoint": "late-dev", "slot": "green", "version": "7"})
    assert (found.url, found.query) == ("http://h/late-dev/green", "v.7")
    assert one.by_slot
    assert not source("json", "http://h/{{endpoint}}").by_slot
    for version in ('7"} or vector(1) #', "../../admin", "7&token=x", "", "7 8", ".*"):
        with pytest.raises(Failed, match=r"^version .* can't be filled in: only letters, digits, dots and dashes can$"):
            filled(one, {"endpoint": "late", "slot": "green", "version": version})
    assert source("json", "https://u:p@h:9/x?key=1").where == "json h:9"
