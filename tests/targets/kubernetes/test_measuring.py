"""Of many pods each is asked for its counts in its turn, and none of its answers is lost."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from core.domain.errors import Unreachable
from core.targets.kubernetes import labels, measuring
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.measuring import MOST, PodMeasurer
from core.targets.kubernetes.traffic import RoutedTraffic
from core.targets.kubernetes.watching import ClusterView
from tests.targets.kubernetes.played import AT, VERSIONS

SERVED = RoutedTraffic({"blue": 100.0})


class Counting(ApiCalls):
    """Pods that count ten answers more whenever they are asked, and how often that was."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.asked: Counter[str] = Counter()

    def ask(self, *_: Any, **__: Any) -> Any:
        """No metrics API."""
        return {"items": []}

    def text(self, path: str, **_: Any) -> tuple[str, Mapping[str, str]]:
        """A page of counters."""
        name = path.split("/pods/")[1].partition(":")[0]
        self.asked[name] += 1
        page = f'scoring_start_time_seconds 1\nscoring_requests_total{{status="200"}} {10 * self.asked[name]}\n'
        return page, {}


def view(count: int) -> ClusterView:
    """So many pods that run."""
    names = [f"late-blue-{number:04}" for number in range(count)]
    heads = [{**labels.metadata(AT, name, "blue", VERSIONS["blue"]), "uid": name} for name in names]
    return ClusterView({("pods", head["name"]): {"metadata": head, "status": {"phase": "Running"}} for head in heads})


@pytest.mark.parametrize(("count", "rounds"), [(3, 1), (MOST, 1), (3 * MOST, 3), (2 * MOST + 7, 3)])
def test_every_pod_is_asked_once_before_any_is_asked_again(count: int, rounds: int) -> None:
    calls = Counting()
    measurer = PodMeasurer(AT, calls, "")
    for _ in range(rounds):
        before = calls.asked.total()
        measurer.measure(view(count), SERVED)
        assert calls.asked.total() - before <= MOST
    assert set(calls.asked) == {f"late-blue-{number:04}" for number in range(count)}
    assert max(calls.asked.values()) <= 2


def test_all_that_was_answered_is_counted() -> None:
    measurer = PodMeasurer(AT, Counting(), "")
    counted = sum(sample.ok for _ in range(6) for sample in measurer.measure(view(3 * MOST), SERVED))
    # The first page of a pod is where counting begins; each pod was asked twice.
    assert counted == 10 * 3 * MOST


def test_what_a_slot_without_users_answers_is_no_sample_and_what_it_answers_to_copies_is_said_to_be() -> None:
    measurer = PodMeasurer(AT, Counting(), "")
    assert [measurer.measure(view(3), RoutedTraffic({"green": 100.0})) for _ in range(3)] == [[], [], []]
    (copied,) = measurer.measure(view(3), RoutedTraffic({"green": 100.0}, mirror={"blue": 20.0}))
    assert (copied.slot, copied.ok, copied.mirrored) == ("blue", 30, 30)


class Hanging(Counting):
    """Some of its pods do not answer before the test ends."""

    def __init__(self, hangs: int) -> None:
        super().__init__()
        self.over = threading.Event()
        self._hangs = hangs

    def text(self, path: str, **more: Any) -> tuple[str, Mapping[str, str]]:
        """A page, or nothing."""
        if int(path.split("late-blue-")[1].partition(":")[0]) < self._hangs:
            self.over.wait(60)
            raise Unreachable("nobody answers")
        return super().text(path, **more)


def test_pods_that_hang_hold_up_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "ROUND_S", 0.3)
    calls = Hanging(3)
    measurer = PodMeasurer(AT, calls, "")
    counted = sum(sample.ok for _ in range(3) for sample in measurer.measure(view(20), SERVED))
    assert counted == 2 * 10 * 17
    calls.over.set()


class Resting(Hanging):
    """Its pods answer nobody any more."""

    def text(self, path: str, **more: Any) -> tuple[str, Mapping[str, str]]:
        """The same page again and again."""
        super().text(path, **more)
        return 'scoring_requests_total{status="200"} 10\n', {}


@pytest.mark.parametrize(
    ("calls", "rests", "looks"),
    [
        (Hanging(0), False, {2}),
        (Hanging(3), False, {2}),
        (Hanging(20), True, set()),
        (Resting(0), True, {2}),
        (Resting(3), True, {2}),
    ],
)
def test_a_slot_is_at_rest_once_no_pod_that_says_how_many_it_answered_goes_on(
    monkeypatch: pytest.MonkeyPatch, calls: Hanging, rests: bool, looks: set[int]
) -> None:
    monkeypatch.setattr(measuring, "LOOK_S", 1.0)
    assert PodMeasurer(AT, calls, "").at_rest(view(20), {"blue"}) is rests
    assert set(calls.asked.values()) == looks
    calls.over.set()


def test_a_slot_without_pods_is_at_rest() -> None:
    assert PodMeasurer(AT, Counting(), "").at_rest(view(3), {"green"})
