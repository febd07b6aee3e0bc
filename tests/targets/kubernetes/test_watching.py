"""A watch knows what the server has, whatever happens to its connections, and says when it does not."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Refused, Unreachable
from core.targets.kubernetes import watching
from core.targets.kubernetes.api_errors import ApiBusy
from core.targets.kubernetes.calls import MERGE, ApiCalls
from core.targets.kubernetes.following import rest_s
from core.targets.kubernetes.paths import DEPLOYMENTS, PODS, ROUTES, SERVICES, namespace_path
from core.targets.kubernetes.watching import ClusterView, ClusterWatch
from tests.kubernetes import bodies
from tests.kubernetes.access import AccessRule
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.faults import FaultKind
from tests.kubernetes.waiting import until

HOME = "flights"
LABELS = {"of": "late"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One for each test: its connections are broken and its history is forgotten."""
    with running() as one:
        yield one
        assert one.troubles == []


@pytest.fixture
def calls(cluster: Cluster, tmp_path: Path) -> Iterator[ApiCalls]:
    """Calls in a namespace that is there."""
    calls = ApiCalls("stand-in", str(cluster.kubeconfig(tmp_path)))
    calls.ask("POST", namespace_path(), {"metadata": {"name": HOME}})
    yield calls
    calls.close()


@pytest.fixture
def watch(calls: ApiCalls) -> Iterator[ClusterWatch]:
    """A watch that has told all there is."""
    watch = ClusterWatch(calls, HOME, "of=late", (DEPLOYMENTS, PODS, SERVICES), lambda: None)
    watch.start()
    until(lambda: watch.synced, "synced")
    yield watch
    watch.close()


def _service(calls: ApiCalls, name: str, **labels: str) -> None:
    body = bodies.service(name, "late")
    body["metadata"]["labels"] = labels or LABELS
    calls.ask("POST", SERVICES.path(HOME), body)


def _port(calls: ApiCalls, name: str, port: int) -> None:
    change = {"spec": {"ports": [{"name": "http", "port": port}]}}
    calls.ask("PATCH", SERVICES.path(HOME, name), change, kind=MERGE)


def _seen(watch: ClusterWatch, true: Callable[[ClusterView], Any]) -> Any:
    return until(lambda: true(watch.view()), "seen by the watch")


def _names(view: ClusterView) -> list[str]:
    return sorted(one["metadata"]["name"] for one in view.all(SERVICES))


def test_what_is_made_changed_and_deleted_is_seen_and_what_is_of_others_is_not(
    calls: ApiCalls, watch: ClusterWatch
) -> None:
    _service(calls, "theirs", of="another")
    _service(calls, "a")
    _service(calls, "b")
    _seen(watch, lambda view: _names(view) == ["a", "b"])
    _port(calls, "a", 81)
    _seen(watch, lambda view: (view.get(SERVICES, "a") or {})["spec"]["ports"][0]["port"] == 81)
    calls.ask("DELETE", SERVICES.path(HOME, "b"))
    _seen(watch, lambda view: _names(view) == ["a"])


def test_broken_connections_are_made_anew_and_nothing_is_missed(
    calls: ApiCalls, watch: ClusterWatch, cluster: Cluster
) -> None:
    for number in range(4):
        cluster.do(cluster.break_connections)
        _service(calls, f"made-{number}")
    _seen(watch, lambda view: len(_names(view)) == 4)


def test_a_server_that_starts_again_and_forgot_the_past_is_listed_anew(
    calls: ApiCalls, watch: ClusterWatch, cluster: Cluster
) -> None:
    _service(calls, "before")
    _service(calls, "gone")
    _seen(watch, lambda view: _names(view) == ["before", "gone"])
    calls.ask("DELETE", SERVICES.path(HOME, "gone"))
    cluster.run(cluster.restart(forget=True))
    _service(calls, "after")
    _seen(watch, lambda view: _names(view) == ["after", "before"])


def test_a_watch_that_is_told_its_version_is_forgotten_lists_again(
    calls: ApiCalls, watch: ClusterWatch, cluster: Cluster
) -> None:
    _service(calls, "before")
    cluster.do(cluster.compact)
    cluster.do(cluster.break_connections)
    _service(calls, "after")
    _seen(watch, lambda view: _names(view) == ["after", "before"])


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(calls: ApiCalls, cluster: Cluster) -> None:
    fault = cluster.fault(FaultKind.BUSY, "GET", "services", seconds=1, times=2)
    watch = ClusterWatch(calls, HOME, "of=late", (SERVICES,), lambda: None)
    watch.start()
    until(lambda: isinstance(watch.error, ApiBusy), "busy")
    until(lambda: watch.synced, "synced")
    assert fault.met == 2
    watch.close()


def test_rests_grow_and_end(cluster: Cluster) -> None:
    rests = [rest_s(count, Unreachable("no")) for count in (1, 2, 3, 20, 200)]
    assert 0 < rests[0] <= 0.25
    assert 0.25 <= rests[2] <= 1.0
    assert 5 <= min(rests[3:]) <= max(rests) <= 10
    assert rest_s(1, ApiBusy("busy", 7.0)) == 7.0


def test_what_may_not_be_listed_is_said(calls: ApiCalls, cluster: Cluster) -> None:
    cluster.access.denied.append(AccessRule(("list",), ("pods",)))
    watch = ClusterWatch(calls, HOME, "of=late", (SERVICES, PODS), lambda: None)
    watch.start()
    error = until(lambda: watch.error, "an error")
    assert isinstance(error, Refused)
    assert "may not list pods" in str(error)
    cluster.access.denied.clear()
    until(lambda: watch.synced, "synced")
    assert watch.error is None
    watch.close()


def test_an_api_that_a_cluster_does_not_have_holds_nothing_up(calls: ApiCalls) -> None:
    watch = ClusterWatch(calls, HOME, "of=late", (SERVICES, ROUTES), lambda: None)
    watch.start()
    until(lambda: watch.synced, "synced")
    assert watch.view().all(ROUTES) == []
    watch.close()


def test_a_server_that_can_not_be_reached_makes_what_is_known_stale_until_it_is_back(
    calls: ApiCalls, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BEAT_S", 0.1)
    monkeypatch.setattr(watching, "STALE_S", 0.4)
    watch = ClusterWatch(calls, HOME, "of=late", (SERVICES,), lambda: None)
    watch.start()
    until(lambda: watch.synced, "synced")
    _service(calls, "before")
    # The open watch lives on, as it does on a server that was asked to end.
    cluster.run(cluster.refuse(kill=False))
    cluster.fault(FaultKind.DROP, path="version")
    view = _seen(watch, lambda view: view if view.stale_s else None)
    assert "no answer" in view.trouble
    assert _names(view) == ["before"]
    cluster.faults.clear()
    cluster.run(_listen(cluster))
    _seen(watch, lambda view: not view.stale_s)
    watch.close()


async def _listen(cluster: Cluster) -> None:
    await cluster.listen()


def test_the_answer_to_a_call_is_known_at_once_and_no_older_word_takes_it_back(
    calls: ApiCalls, watch: ClusterWatch
) -> None:
    _service(calls, "a")
    _seen(watch, lambda view: _names(view) == ["a"])
    old = watch.view().get(SERVICES, "a")
    assert old is not None
    change = {"spec": {"ports": [{"name": "http", "port": 82}]}}
    new = calls.ask("PATCH", SERVICES.path(HOME, "a"), change, kind=MERGE)
    watch.put(SERVICES, new)
    watch.put(SERVICES, old)
    watch.changed(SERVICES, old, gone=False)
    assert watch.view().get(SERVICES, "a") == new


def test_closing_ends_every_thread(calls: ApiCalls, cluster: Cluster) -> None:
    watch = ClusterWatch(calls, HOME, "of=late", (DEPLOYMENTS, PODS, SERVICES), lambda: None)
    before = set(threading.enumerate())
    watch.start()
    until(lambda: watch.synced, "synced")
    mine = set(threading.enumerate()) - before
    assert len(mine) >= 4
    begun_s = time.monotonic()
    watch.close()
    for one in mine:
        one.join(20)
    assert not any(one.is_alive() for one in mine)
    assert time.monotonic() - begun_s < 20
