"""Answers to marked requests are kept for whoever asks inside, and for nobody else."""

import json
from typing import Any

import httpx
import pytest

from core.targets.local import comparison, routes
from scoring import pairs
from scoring.model import Model
from scoring.pairs import KeptAnswers
from tests.scoring.test_service import BODY, KEY, ROW, served

INSIDE = {pairs.INSIDE: "pairs"}
MARKED = {pairs.MARK: "one"}


def asked(http: httpx.Client, **headers: str) -> Any:
    """What is kept by now."""
    return http.get(pairs.PATH, headers={**INSIDE, **headers}).json()


def test_the_names_are_those_of_the_router_and_the_host() -> None:
    assert (pairs.MARK, pairs.INSIDE, pairs.PATH) == (routes.PAIR_HEADER, routes.PROBE_HEADER, comparison.PATH)


def test_marked_answers_are_kept_once_somebody_asks_and_others_never(model: Model) -> None:
    def visit(http: httpx.Client) -> list[Any]:
        http.post("/predict", json=BODY, headers=MARKED)
        first = asked(http)
        label = http.post("/predict", json=BODY, headers=MARKED).json()["predictions"][0]
        http.post("/predict", json=BODY)
        http.post("/predict", json={"data": [ROW, ROW], "probabilities": True}, headers={pairs.MARK: "two"})
        http.post("/predict", json={"data": [["x", 3, True, "AA"]]}, headers={pairs.MARK: "three"})
        http.post("/predict", content=json.dumps({"data": [ROW] * 1000}), headers={pairs.MARK: "four"})
        tensor = {"name": "rows", "shape": [1, 4], "datatype": "FP64", "data": [1.5, 3, 1, 0]}
        v2 = http.post("/v2/models/late/infer", json={"inputs": [tensor]}, headers={pairs.MARK: "five"})
        return [first, label, asked(http), asked(http), v2.status_code]

    first, label, found, again, v2 = served(model, visit)
    assert first == again == {"labelled": True, "answers": []}
    assert found["labelled"] is True
    kept = {mark: (status, answers) for mark, status, answers in found["answers"]}
    assert kept["one"] == (200, [label])
    assert kept["two"] == (200, [label, label])
    assert kept["three"] == (422, None)
    assert kept["four"] == (200, [label] * 1000)
    assert (kept["five"][0], v2) in {(200, 200), (422, 422)}
    assert len(kept) == len(found["answers"]) == 5


def test_nobody_from_outside_can_ask_and_a_key_is_needed(model: Model) -> None:
    def visit(http: httpx.Client) -> list[httpx.Response]:
        mine = {"authorization": f"Bearer {KEY}"}
        return [http.get(pairs.PATH, headers=headers) for headers in (mine, INSIDE, {**mine, **INSIDE})]

    without, keyless, inside = served(model, visit, key=KEY)
    assert without.status_code == 404
    assert "there is no /pairs" in without.json()["error"]
    assert keyless.status_code == 401
    assert inside.json() == {"labelled": True, "answers": []}


class Sent:
    """A sender who takes anything."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def response_bytes(self, status: int, headers: object, body: bytes) -> None:
        """Take an answer."""
        self.bodies.append(body)


def kept(found: KeptAnswers) -> list[str]:
    """The marks of what is kept."""
    return [mark for mark, *_ in json.loads(found.page()[2])["answers"]]


def answer(found: KeptAnswers, mark: str, body: bytes = b'{"predictions":["yes"]}') -> Sent:
    """Answer a marked request."""
    sender = Sent()
    found.marked(sender, {pairs.MARK: mark}).response_bytes(200, [], body)
    assert sender.bodies == [body]
    return sender


def test_what_nobody_asks_for_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pairs, "monotonic", lambda: now[0])
    found = KeptAnswers(labelled=True)
    assert not found.on
    found.page()
    answer(found, "one")
    now[0] += pairs.ASKED_S + 1
    answer(found, "two")
    assert not found.on
    assert kept(found) == []
    answer(found, "three")
    assert kept(found) == ["three"]


def test_the_oldest_go_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MOST", 3)
    monkeypatch.setattr(pairs, "MOST_BYTES", 100)
    monkeypatch.setattr(pairs, "LARGE_BYTES", 60)
    found = KeptAnswers(labelled=False)
    found.page()
    for mark in "abcd":
        answer(found, mark)
    assert kept(found) == ["b", "c", "d"]
    large = b'{"predictions":["' + b"x" * 40 + b'"]}'
    for mark, body in (("a", large), ("b", large), ("c", large + b" " * 10)):
        answer(found, mark, body)
    assert kept(found) == ["b"]
