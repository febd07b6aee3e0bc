"""Panes 2 and 3 over a cluster: a slot of which no figures come, and autoscalers that are held while traffic moves."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.domain.model import Observation, Replica, ReplicaState, Slot
from core.state import events as ev
from core.state.events import Event
from core.targets.kubernetes.looks import looks
from core.targets.kubernetes.manifests import BOUNDS
from core.targets.kubernetes.paths import AUTOSCALERS
from core.targets.kubernetes.watching import ClusterView
from tests.recordings.make import MOMENT
from tests.targets.kubernetes.played import AT, Recording
from tests.tui import cluster_scenes, scenes
from tests.tui.cluster_scenes import BEGUN
from tests.tui.looking import lines, seen, text
from tui.actions import way_back
from tui.health import health
from tui.view import View
from tui.widgets import chart
from tui.widgets.load import LoadPane
from tui.widgets.replicas import trouble
from tui.widgets.scaling import Scaling

SECOND = 100.0
PLACE = "kubernetes prod-eu/flights"


@pytest.fixture(autouse=True)
def _charts() -> None:
    chart.load()


def _held(at: int) -> View:
    """A recording of a slot that is asked for more, its autoscaler held at so many."""
    objects = cluster_scenes.Objects()
    Recording(objects, "scaling", "blue").to(SECOND)
    scaler = objects.found[AUTOSCALERS.plural, "late-blue"]
    spec = {**scaler["spec"], "minReplicas": at, "maxReplicas": at}
    meta = {**scaler["metadata"], "annotations": {BOUNDS: "2 15"}}
    objects.put(AUTOSCALERS.plural, {**scaler, "metadata": meta, "spec": spec})
    events = cluster_scenes.at("scaling", SECOND)
    known = next(e.body.observation for e in reversed(events) if isinstance(e.body, ev.Observed))
    fewer = Observation("blue", known.version, at, at, 100.0, known.replicas[:at])
    look = looks(AT, ClusterView(dict(objects.found)), BEGUN + SECOND)["blue"]
    told = (ev.Observed("late", fewer), ev.Looked("late", look))
    return seen(scenes.then(events, *told, at=BEGUN + SECOND), BEGUN + SECOND + 3)


def _without(events: Sequence[Event], *slots: Slot, since: float = 0.0) -> list[Event]:
    """The same in a cluster, where since a moment nobody tells what these slots answered."""

    def kept(event: Event) -> bool:
        body = event.body
        return not (isinstance(body, ev.Sampled) and body.sample.slot in slots and event.at >= since)

    def there(body: ev.Body) -> ev.Body:
        return replace(body, target=PLACE) if isinstance(body, ev.Opened | ev.Began) else body

    return [replace(one, body=there(one.body)) for one in events if kept(one)]


def test_a_count_that_a_release_holds_is_said_and_is_no_maximum_to_raise() -> None:
    said = lines(Scaling(), _held(9), 116, 14)
    assert said[0].startswith("9 held · 9 ready   cpu 165 % of 60 %   keeps 9: held while traffic moves")
    assert said[1:3] == [
        "· a release holds it at 9 while traffic moves",
        "  → it is handed back once the release is over",
    ]
    assert not any("raise endpoint.autoscaling.max" in line for line in said)


def _shares(ready: int) -> View:
    """Nine pods of blue beside one of green, of which so many of blue are ready; two are wanted without a release."""
    events = [e for e in scenes.at_ten() if not isinstance(e.body, ev.Looked)]
    known = seen(events).endpoint
    assert known is not None
    pods = tuple(Replica(f"blue-{n}", ReplicaState.READY if n < ready else ReplicaState.DEAD) for n in range(9))
    told = (
        replace(known.slots["blue"], wanted=2, held=9, ready=ready, replicas=pods),
        replace(known.slots["green"], wanted=2, held=1, ready=1, replicas=known.slots["green"].replicas[:1]),
    )
    return seen(scenes.then(events, *(ev.Observed(known.name, one) for one in told)))


def test_all_that_count_replicas_count_to_what_a_share_holds() -> None:
    view = _shares(9)
    assert lines(Scaling(), view)[0] == "10 of 10 replicas ready · not scaled by itself"
    assert way_back(view).text == "roll back → v6 · 9/9 ready"
    assert text(health(view)).startswith("● healthy")
    assert view.endpoint is not None
    assert trouble(replace(view.endpoint.slots["green"], why="no node")) == ""
    lost = _shares(5)
    assert lines(Scaling(), lost)[0].startswith("6 of 10 replicas ready")
    assert way_back(lost).text == "roll back → v6 · 5/9 ready"
    assert text(health(lost)) == "! degraded: 5 of 9 ready"


def test_a_held_count_stays_on_a_small_screen() -> None:
    folded = Scaling()
    folded.folded = True
    (line,) = lines(folded, _held(9), 78, 1)
    assert line.startswith("scaling 9 held · 9 ready")
    assert "!" not in line


def test_an_autoscaler_that_is_not_held_has_its_bounds() -> None:
    said = lines(Scaling(), seen(cluster_scenes.at("scaling", SECOND), BEGUN + SECOND + 1), 116, 14)
    assert said[0].startswith("15 of 2–15 replicas · ")


@pytest.mark.parametrize(("slots", "named"), [(("green",), "green"), (("blue", "green"), "blue and green")])
def test_where_both_slots_are_waited_for_one_without_figures_is_named(slots: tuple[Slot, ...], named: str) -> None:
    said = lines(LoadPane(), seen(_without(scenes.asked(), *slots)), 100, 15)
    assert said[0] == f"? no figures of {named}, so nothing stands side by side: 'quarterdeck doctor' looks why"
    assert "users" in said[1]
    assert len(said) <= 15
    other = lines(LoadPane(), seen(_without(scenes.at_ten(), *slots)), 100, 15)
    assert "no figures" not in other[0], "nobody waits for it"


def test_nobody_misses_figures_where_nothing_is_sent() -> None:
    view = seen([one for one in scenes.asked() if not isinstance(one.body, ev.Sampled)])
    assert "no figures" not in "".join(lines(LoadPane(), view, 100, 15))


def test_who_turned_to_the_slots_hears_it_and_who_turned_back_does_not() -> None:
    pane, view = LoadPane(), seen(_without(scenes.at_ten(), "green"))
    pane.compare(view)
    assert lines(pane, view, 100, 15)[0].startswith("? no figures of green")
    pane.compare(view)
    assert "no figures" not in lines(pane, view, 100, 15)[0]


def test_figures_that_stay_away_leave_dashes_and_the_other_slot_has_its_own() -> None:
    said = lines(LoadPane(), seen(_without(scenes.asked(), "green", since=MOMENT - 9)), 80, 15)
    assert said[0].startswith("blue v6  377 rps")
    assert said[7].split()[:7] == ["green", "v7", "–", "rps", "–", "errors", "–"]


def test_who_counted_is_said_as_it_is_in_a_cluster() -> None:
    assert lines(LoadPane(), seen(_without(scenes.asked())), 80, 15)[-1].startswith("3:00 to now · counted by the pods")
    assert "measured by the router" in lines(LoadPane(), seen(scenes.asked()), 80, 15)[-1]
