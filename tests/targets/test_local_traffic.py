"""Traffic on this machine: split, pinned, mirrored, counted, and moved without a failed request."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from core.domain.model import Observation
from core.domain.sample import GAVE_UP, Sample
from core.targets.local import envoy
from core.targets.local.proof import PROBES
from core.targets.local.routes import PROBE_HEADER, ROUTE_HEADER, SLOT_HEADER, probe
from core.targets.local.secret import router_secret
from core.targets.protocol import Address
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, ask, loading, two_slots, watching, where


def _total(watcher: Watcher, slot: str) -> Sample:
    """All that was counted of a slot."""
    found = [one for one in watcher.reports if isinstance(one, Sample) and one.slot == slot]
    return sum(found, Sample(slot, 0.0, seconds=0.0))


async def test_flips_under_load_fail_no_request(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher)
        async with loading(await target.address()) as load:
            await load.more(50)
            for green in (10, 50, 100, 0, 50, 0):
                weights = {"blue": 100.0 - green, "green": float(green)}
                await target.route({slot: weight for slot, weight in weights.items() if weight})
                await watcher.weight("green", green)
                await load.more(50)
            assert not load.failed
            assert set(load.answers) == {"1", "2"}
            # Proved means proved: from here on no other version answers.
            before = load.answers["2"]
            await load.more(100)
            assert load.answers["2"] <= before + load.users


async def test_weights_split_requests_and_not_connections(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        async with loading(await target.address(), users=1) as load:
            await load.more(400)
        assert 0.35 < load.answers["2"] / load.count < 0.65


async def test_a_header_reaches_a_slot_that_gets_no_traffic(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        assert (await ask(await target.address("green")))[:2] == (200, "2")
        assert (await ask(await target.address()))[:2] == (200, "1")


async def test_a_probe_is_told_its_slot_and_the_number_of_the_routes(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        everybody = await target.address()
        probing = replace(everybody, headers=probe(router_secret(target.spec.folder)))
        _, _, first = await ask(probing)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        _, _, second = await ask(probing)
        assert (first[SLOT_HEADER], second[SLOT_HEADER]) == ("blue", "green")
        assert int(second[ROUTE_HEADER]) == int(first[ROUTE_HEADER]) + 1
        _, _, users = await ask(everybody)
        assert not {SLOT_HEADER, ROUTE_HEADER} & set(users)


async def test_headers_of_ours_are_heard_only_with_the_secret_and_reach_no_replica(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        everybody, green = await target.address(), await target.address("green")
        ours: list[dict[str, str]] = [
            {SLOT_HEADER: "green"}, {SLOT_HEADER: "green."}, {SLOT_HEADER: "green.wrong"}, {PROBE_HEADER: "1"},
            {PROBE_HEADER: ""}, {PROBE_HEADER: "1", SLOT_HEADER: "green.1"},
        ]  # fmt: skip
        for headers in ours:
            status, version, told = await ask(replace(everybody, headers=headers), "/echo")
            assert (status, version, {SLOT_HEADER, ROUTE_HEADER} & set(told)) == (200, "1", set()), headers
            assert "x-quarterdeck" not in told["x-heard"]
        _, version, told = await ask(green, "/echo")
        assert version == "2"
        assert "x-quarterdeck" not in told["x-heard"]
        # All of them were counted: nobody hides from the gates.
        await watcher.until(lambda: _total(watcher, "blue").requests >= len(ours))
        assert _total(watcher, "blue").requests == len(ours)
    # The secret stands where only its owner reads, and nobody has said it.
    folder, secret = target.spec.folder, router_secret(target.spec.folder).encode()
    files = [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert {str(path.relative_to(folder)) for path in files} == {"router-token", "router/routes.json"}
    assert (folder / "router").stat().st_mode & 0o077 == 0
    assert secret.decode() not in repr(watcher.reports)


async def test_replicas_that_do_not_answer_are_no_proof(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 0)
        await watcher.ready("blue", 0)
        assert (await ask(await target.address()))[0] == 503
        await target.route({"blue": 100})
        said = await watcher.noted("traffic blue 100 %")
        assert "no ready replica of blue answers (503)" in said.text
        assert (watcher.slots["blue"].weight, watcher.slots["blue"].proved_by) == (0.0, 0)
        status, _, headers = await ask(await target.address())
        assert (status, headers["content-type"]) == (503, "application/json")
        # Once one answers it is proved, and said.
        await target.apply("blue", ONE, 1)
        assert (await watcher.weight("blue", 100)).proved_by > 0
        await watcher.noted("traffic blue 100 %: proved by")


async def test_another_version_in_a_slot_with_traffic_is_proved_anew(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        seen = len(watcher.reports)
        await target.apply("blue", TWO, 1)
        await watcher.until(lambda: watcher.slots["blue"].version == TWO and watcher.slots["blue"].proved_by > 0)
        told = [one for one in watcher.reports[seen:] if isinstance(one, Observation) and one.version == TWO]
        assert told[0].proved_by == 0
        assert {one.weight for one in told} == {100}
        assert (await ask(await target.address()))[1] == "2"


async def test_each_probe_counts_once(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        proved = [watcher.slots[slot].proved_by for slot in ("blue", "green")]
        assert min(proved) > 0
        assert sum(proved) < 2 * PROBES
        await target.route({"green": 100})
        await watcher.weight("blue", 0)
        assert watcher.slots["blue"].proved_by == 0


async def test_samples_count_what_users_saw_and_no_probe(endpoints: Endpoints) -> None:
    target = endpoints.target()
    endpoints.model("2", status=500)
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        for _ in range(30):
            await ask(await target.address())
        for _ in range(5):
            await ask(await target.address("green"))
        await watcher.until(lambda: _total(watcher, "blue").requests >= 30)
        await watcher.until(lambda: _total(watcher, "green").requests >= 5)
        await watcher.until(lambda: _total(watcher, "blue").latency.count >= 30)
        blue, green = _total(watcher, "blue"), _total(watcher, "green")
        assert (blue.ok, dict(blue.failed), dict(blue.mix)) == (30, {}, {"version:1": 30})
        assert (green.ok, dict(green.failed), dict(green.mix)) == (0, {"500": 5}, {"version:2": 5})
        took = blue.latency
        assert took.count == 30
        assert took.min_ms is not None
        assert 0.02 < took.min_ms < 1000


async def test_what_strangers_ask_for_is_counted_apart_and_judges_nobody(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        address = await target.address()
        for _ in range(20):
            await ask(address)
            assert (await ask(address, "/wp-login.php"))[0] == 404
        await watcher.until(lambda: _total(watcher, "green").latency.count >= 20)
        await watcher.until(lambda: sum(_total(watcher, "green").refused.values()) >= 20)
        green = _total(watcher, "green")
        assert (green.ok, dict(green.failed), dict(green.refused)) == (20, {}, {"404": 20})
        assert (green.latency.count, green.failed_percent) == (20, 0.0)


async def test_a_caller_of_http_1_0_is_answered_and_the_routers_own_errors_are_one_line_of_json(
    endpoints: Endpoints,
) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        address = await target.address()
        assert await _old(address) == (b"HTTP/1.0 503", "no traffic is routed to this endpoint")
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        assert (await _old(address))[0] == b"HTTP/1.0 200"


async def _old(address: Address) -> tuple[bytes, str]:
    """What a caller of HTTP/1.0 without a host hears: the first words, and the error if it is one."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*where(address))
        writer.write(b"GET /predict HTTP/1.0\r\n\r\n")
        heard = await reader.read()
        writer.close()
    return heard[:12], json.loads(heard.partition(b"\r\n\r\n")[2] or b"{}").get("error", "")


def test_each_cause_of_the_routers_own_errors_is_said_once_and_says_what_to_do(tmp_path: Path) -> None:
    listener = envoy.bootstrap(tmp_path, tmp_path / "admin", "127.0.0.1", 1)["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    mappers = manager["local_reply_config"]["mappers"]
    filters = [each["filter"] for each in mappers]
    flags = [flag for each in filters for flag in each.get("response_flag_filter", {}).get("flags", [])]
    by_status = [each["status_code_filter"]["comparison"] for each in filters if "status_code_filter" in each]
    statuses = [each["value"]["default_value"] for each in by_status]
    assert len(flags) == len(set(flags)) > 0
    assert len(statuses) == len(set(statuses)) > 0
    assert all(": " in each["body"]["inline_string"] for each in mappers)


async def test_who_gives_up_waiting_is_an_answer_that_failed(endpoints: Endpoints) -> None:
    """A version that hangs answers nobody; who leaves at once, or never sent the whole request, waited for nothing."""
    target = endpoints.target()
    endpoints.model("1", slow_ms=2500)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        address = await target.address()
        head = b"POST /predict HTTP/1.1\r\nhost: late\r\ncontent-length: 2\r\n\r\n"
        leaving = ((head + b"{}", 1.3), (head + b"{}", 1.3), (head + b"{}", 0.2), (head, 1.3))
        await asyncio.gather(*(_leaves(where(address), sent, after_s) for sent, after_s in leaving))
        await watcher.until(lambda: _total(watcher, "blue").failures >= 2)
        await watcher.until(lambda: len([one for one in watcher.reports if isinstance(one, Sample)]) > 3)
        blue = _total(watcher, "blue")
        assert (blue.ok, dict(blue.failed), dict(blue.refused)) == (0, {GAVE_UP: 2}, {})
        assert (blue.unreached, blue.latency.count) == (2, 0)


async def _leaves(place: tuple[str, int], sent: bytes, after_s: float) -> None:
    """Ask, and hang up after so long."""
    _, writer = await asyncio.open_connection(*place)
    writer.write(sent)
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.close()
    await writer.wait_closed()
