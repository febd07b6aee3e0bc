"""What the router's answers prove: only a good answer of the wanted version, by the routes that were asked for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.domain.errors import Unreachable
from core.targets.local import proof
from core.targets.local.routes import PROBE_HEADER, ROUTE_HEADER, SLOT_HEADER, Table
from core.targets.local.secret import router_secret, secret_path
from tests.ports import free_port
from tests.targets.helpers import listening

VERSIONS = {"blue": "1", "green": "2"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the answers that are wanted take longer than a proof would wait for more than is needed."""
    monkeypatch.setattr(proof, "PATIENCE_S", proof.GIVE_UP_S)


def said(slot: str = "blue", version: str = "1", *, number: int = 3, status: int = 200) -> tuple[int, dict[str, str]]:
    """One answer of the router; without a version it is Envoy's own."""
    names = {ROUTE_HEADER: f"{number}", SLOT_HEADER: slot, "x-model-version": version}
    return status, {name: value for name, value in names.items() if value}


class Answering:
    """A router that answers each probe with one of these in turn, the last for ever; by name where it is asked so."""

    def __init__(self, *answers: tuple[int, dict[str, str]], **named: tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.named = named
        self.count = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            assert f"{PROBE_HEADER}: hush" in head
            self.count += 1
            name = next((slot for slot in VERSIONS if f"{SLOT_HEADER}: {slot}.hush" in head), "")
            status, headers = self.named.get(name) or (
                self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            )
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {status} OK\r\ncontent-length: 0\r\n{lines}\r\n".encode())


def table(**weights: float) -> Table:
    """Routes number 3 with these weights."""
    return Table(3, weights, {}, {"blue": (1,), "green": (2,)}, "hush")


async def prove(router: Answering, asked: Table) -> Mapping[str, int]:
    """What the answers of a router prove."""
    async with listening(router) as address:
        return await proof.prove(address, asked, VERSIONS)


async def test_each_good_answer_counts_once_and_for_its_slot() -> None:
    router = Answering(said("blue", "1"), said("green", "2"), said("blue", "1"), said("blue", "1"))
    found = await prove(router, table(blue=50.0, green=50.0))
    assert found["green"] == 1
    assert proof.PROBES <= sum(found.values()) <= router.count


async def test_a_slot_that_gets_few_requests_is_asked_by_name() -> None:
    found = await prove(Answering(said("blue", "1"), green=said("green", "2")), table(blue=99.0, green=1.0))
    assert found["green"] >= 1
    assert found["blue"] >= 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (said(version="", status=503), r"no ready replica of blue answers \(503\)"),
        (said(status=503), "blue answers 503"),
        (said(status=500), "blue answers 500"),
        (said(status=404), "blue answers 404"),
        (said(version="7"), "blue answers as v7, not as v1"),
        (said(version=""), "blue does not say which version answers"),
        (said("", "", status=503), "answers 503 in nobody's name"),
        (said(number=2), "still answers by routes number 2, not 3"),
        ((200, {}), "still answers by routes number -1"),
        (said(number=4), "by routes number 4, not 3"),
        (said("green", "2"), "green, which should get no traffic"),
    ],
)
async def test_what_is_no_good_answer_of_the_wanted_version_proves_nothing(
    answer: tuple[int, dict[str, str]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "GIVE_UP_S", 0.1)
    with pytest.raises(Unreachable, match=why):
        await prove(Answering(answer), table(blue=100.0))


async def test_one_slot_that_serves_does_not_prove_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "GIVE_UP_S", 0.1)
    router = Answering(said("blue", "1"), green=said("green", "", status=503))
    with pytest.raises(Unreachable, match="no ready replica of green"):
        await prove(router, table(blue=90.0, green=10.0))


async def test_answers_by_the_routes_before_are_waited_out() -> None:
    found = await prove(Answering(said("green", "2", number=2), said(number=2), said()), table(blue=100.0))
    assert found["blue"] >= proof.PROBES


async def test_no_traffic_is_proved_by_the_routers_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    own = said("", "", status=503)
    assert sum((await prove(Answering(own), table())).values()) >= proof.PROBES
    monkeypatch.setattr(proof, "GIVE_UP_S", 0.1)
    with pytest.raises(Unreachable, match="blue, which should get no traffic"):
        await prove(Answering(said()), table())


async def test_a_router_that_hangs_or_is_not_there_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(proof, "GIVE_UP_S", 0.1)
    async with listening(silent) as address:
        with pytest.raises(Unreachable, match="the router gives no answer"):
            await proof.prove(address, table(blue=100.0), VERSIONS)
    nobody = ("127.0.0.1", free_port())
    with pytest.raises(OSError, match="Connect"):
        await proof.prove(nobody, table(blue=100.0), VERSIONS)
    assert not await proof.reaches(nobody, "blue", "hush", "1", within_s=0.05)


async def test_a_slot_is_reached_once_its_version_answers_well() -> None:
    async with listening(Answering(said(version="", status=503), said(status=503), said())) as address:
        assert await proof.reaches(address, "blue", "hush", "1")
    async with listening(Answering(said(version="7"))) as address:
        assert not await proof.reaches(address, "blue", "hush", "1", within_s=0.05)


# The secret


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    secret = router_secret(tmp_path)
    assert len(secret) >= 32
    assert router_secret(tmp_path) == secret
    assert secret_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["router-token"]


def test_a_file_without_a_secret_gets_one(tmp_path: Path) -> None:
    secret_path(tmp_path).write_text("")
    assert router_secret(tmp_path) == router_secret(tmp_path) != ""


def test_the_secret_is_in_no_picture_of_a_table() -> None:
    assert "hush" not in repr(table(blue=100.0))
