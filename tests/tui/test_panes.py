"""What the panes say, line by line, of a moment of the recording."""

from dataclasses import replace

import pytest

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.load_profile import LoadOutcome
from core.domain.model import Level as Loudness, Noted, Observation, Reading, Scaled, Version
from core.domain.plan import Deploy, Plan, Work
from core.domain.sample import Sample
from core.state import events as ev
from core.state.endpoint import Mark, MarkKind
from core.state.events import Event
from core.state.fold import fold_all
from core.state.verdict_words import unsure
from tests.recordings.make import ENDPOINT, KEY, MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.looking import lines, seen, text
from tests.tui.replay import recorded
from tui import format as as_text
from tui.history import Point, Silence
from tui.styled import width
from tui.verdicts import gate_piece
from tui.widgets.chart import Axis, Chart, Curve, axis, breaks, load
from tui.widgets.gates import Gates, row, shortly
from tui.widgets.load import LoadPane
from tui.widgets.load_charts import LoadCharts
from tui.widgets.log import Log
from tui.widgets.marks import legend
from tui.widgets.scaling import Scaling, stairs
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane

ENDED = ev.Ended(RELEASE, ev.Outcome.DONE, "")
LOST = ev.Ended(RELEASE, ev.Outcome.FAILED, "the gate")
BACK = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back")


def test_the_question_is_shown_with_until_when() -> None:
    said = lines(Gates(), seen(scenes.asked()), 30, 20)
    assert said[0].startswith("? p99 has 1,647 of 4,000")
    assert "n yes   A no, abort" in said
    assert any("until 14:07:03, 4:32 left" in line for line in said)
    folded = Gates()
    folded.folded = True
    (line,) = lines(folded, seen(scenes.asked()), 78, 1)
    assert line.endswith("n yes · 4:32")
    watching = replace(seen(scenes.asked()), read_only=True)
    assert "waits for a person" in lines(Gates(), watching, 30, 20)
    (line,) = lines(folded, watching, 78, 1)
    assert line.endswith("waits for a person · 4:32")


@pytest.mark.parametrize(
    ("gate", "verdict", "said"),
    [
        (Gate("failed_percent", "<", 5), (GateResult.PASS, 0.31, ""), "✔ errors           0.3 %   < 5 %"),
        (Gate("p95_ms", "<", 2000), (GateResult.FAIL, 2311.4, ""), "✖ p95            2311 ms  < 2000"),
        (Gate("p95_ms", "<", 25, "live"), (GateResult.PASS, -17.2, ""), "✔ p95 : live       -17 % < +25 %"),
        (Gate("failed_percent", "<", 0.5, "live"), (GateResult.PASS, 0.31, ""), "✔ errors:live  +0.3 pt < +0.5 pt"),
        (
            Gate("p99_ms", "<", 9),
            (GateResult.INCONCLUSIVE, None, "31 of 50 requests"),
            "? p99              31 rq   of 50",
        ),
        (Gate("p99_ms", "<", 9), (GateResult.ERROR, None, "can't be measured"), "! p99                  –     < 9"),
        (
            Gate("macro_f1 vs production", ">=", 0.8866666),
            (GateResult.PASS, 0.8571, ""),
            "✔ macro f1: prod   0.857  unsure",
        ),
        (Gate("converged", ">=", 1), (GateResult.PASS, 1.0, ""), "✔ converged          yes"),
        (Gate("rps", ">", 100), None, "◦ rps                      > 100"),
        (Gate("mix_points", "<", 5, "live"), (GateResult.FAIL, 9.2, ""), "✖ mix : live     +9.2 pt < +5 pt"),
        (
            Gate("sold", ">", 100, source="json shop:80"),
            (GateResult.FAIL, 98.0, ""),
            "✖ sold (json)         98   > 100",
        ),
        (
            Gate("sold", ">", 100, at_least=3, source="json shop:80"),
            (GateResult.INCONCLUSIVE, None, "2 of 3 values"),
            "? sold (json)          2    of 3",
        ),
    ],
)
def test_a_gate_in_its_cells(gate: Gate, verdict: tuple[GateResult, float | None, str] | None, said: str) -> None:
    assert text(row(gate, Verdict(gate, *verdict) if verdict else None, 32)) == said


def test_a_dry_run_never_looks_like_a_failure() -> None:
    gate = Gate("p95_ms", "<", 25, "live", dry_run=True)
    assert "fails" not in {role for _, role in row(gate, Verdict(gate, GateResult.FAIL, 40, ""), 30)}


@pytest.mark.parametrize("outcome", [GateResult.PASS, GateResult.FAIL, GateResult.ERROR])
def test_a_dry_run_is_called_one_whatever_it_found(outcome: GateResult) -> None:
    gate = Gate("p95_ms", "<", 25, "live", dry_run=True)
    said = text(row(gate, Verdict(gate, outcome, 12.0, ""), 32))
    assert said.startswith("~ p95 : live")
    assert said.endswith("dry run")


def test_what_is_beyond_its_limit_and_may_be_chance_does_not_look_measured() -> None:
    gate = Gate("failed_percent", "<", 0.5, "live")
    chance = Verdict(gate, GateResult.PASS, 5.3, "5.3 points may be chance over 131 requests")
    assert text(row(gate, chance, 32)) == "✔ errors : live  +5.3 pt  unsure"
    assert text(gate_piece(chance, sure=True)) == "   errors:live +5.3 pt unsure ✔"
    assert not unsure(replace(chance, value=0.4))


def test_shifts_and_holds_are_one_stage() -> None:
    said = lines(Stages(), seen(scenes.at_ten()), 30, 14)
    assert len(said) == 14
    assert said[2] == "✔ train      20 of 20   12.1 s"
    assert said[9] == "▶ traffic    █▏░░░░░░░░░  10 %"
    assert said[11] == "◦ load test  300 × 60 s"
    assert Stages().note_of(seen(scenes.at_ten())) == "canary · for 1:04"


@pytest.mark.parametrize(
    ("bodies", "note"),
    [
        ((ENDED, BACK), "back · for 0:20"),
        ((ENDED, BACK, ev.Ended(RELEASE, ev.Outcome.ROLLED_BACK, "")), "canary · rolled back in 0:20"),
        ((ENDED, BACK, ev.TurnedForward(RELEASE), ENDED), "canary · done in 0:20"),
        ((LOST, ev.Retried(RELEASE)), "canary · for 0:20"),
        ((LOST, ev.Retried(RELEASE), ENDED), "canary · done in 0:20"),
    ],
)
def test_what_comes_after_an_end_is_timed_from_its_own_beginning(bodies: tuple[ev.Body, ...], note: str) -> None:
    events = scenes.at_ten()
    for at, body in enumerate(bodies):
        events = scenes.then(events, body, at=MOMENT + 500 + 20 * at)
    assert Stages().note_of(seen(events, MOMENT + 500 + 20 * len(bodies))) == note


def test_the_stages_fold_into_a_line() -> None:
    folded = Stages()
    folded.folded = True
    (line,) = lines(folded, seen(scenes.at_ten()), 78, 1)
    assert line.startswith("✔9  ▶ traffic 10 %  ◦4")


def test_traffic_that_went_back_is_not_shown_as_traffic() -> None:
    said = lines(Stages(), seen(scenes.rolled_back(), KEY + 5), 30, 14)
    assert said[9] == "◀ traffic    was 50 %      0 %"


def test_a_slot_that_a_route_does_not_name_is_meant_to_get_nothing() -> None:
    """Whatever it still gets until the route is in force."""
    events = scenes.then(scenes.at_ten(), ev.Routed(ENDPOINT, {"blue": 100.0}, RELEASE))
    blue, green = lines(TrafficPane(), seen(events, MOMENT), 100)[:2]
    assert ("of 100 " in blue, "of 0 " in green) == (True, True)


def test_with_little_room_the_stages_around_the_one_that_runs_are_shown() -> None:
    said = lines(Stages(), seen(scenes.at_ten()), 30, 5)
    assert len(said) == 5
    assert any("traffic" in line for line in said)


def test_the_last_look_of_the_autoscaler_in_words() -> None:
    view = seen(scenes.at_ten())
    assert lines(Scaling(), view)[0].startswith("8 of 2–15 · 8 ready   cpu 64 % of 60 %   keeps 8: within tolerance")
    assert lines(Scaling(), view, 50)[0].endswith("keeps 8")
    assert Scaling().note_of(view) == "next look in 10 s"
    up = Scaled("blue", MOMENT, 8, 12, "cpu 118 % of 60 %; maximum 12", (Reading("cpu", 118, 60),), 2, 12, 1.5, True)
    view = seen(scenes.then(scenes.at_ten(), ev.Looked(ENDPOINT, up)))
    assert "8 → 12 maximum 12" in lines(Scaling(), view)[0]
    assert Scaling().note_of(view).startswith("clock shortened (--fast) · next look in")


def test_what_is_not_scaled_says_so() -> None:
    served = scenes.served()
    (first, *_) = lines(Scaling(), seen(served, served[-1].at))
    assert first == "2 of 2 replicas ready · not scaled by itself"
    (first, *_) = lines(Scaling(), seen(served, served[-1].at + 3600))
    assert first == "2 of 2 replicas ready when last heard of"


def test_an_empty_load_pane_says_which_key_sends_some() -> None:
    assert lines(LoadPane(), seen(scenes.served(), MOMENT - 200)) == ["no load: press w to send some"]


def test_a_load_that_goes_up_says_how_far() -> None:
    view = seen(scenes.then(scenes.at_ten(), ev.LoadWanted(ENDPOINT, 310)))
    assert lines(LoadPane(), view)[0].startswith(" 300 → 310 users")


def test_a_full_load_pane_counts_failures_by_kind() -> None:
    pane = LoadPane()
    pane.full = True
    said = lines(pane, seen(scenes.at_ten()), 116, 32)
    assert said[1] == "✖ 66 failed in all: 503 ×66"
    assert "requests since 13:59:21" in said[2]


def test_a_dead_replica_is_a_mark_in_the_legend() -> None:
    died = ev.Remarked(ENDPOINT, Noted("blue-2 died: exit code 1", Loudness.ERROR, "blue"))
    said = lines(Scaling(), seen(scenes.then(scenes.at_ten(), died)), 80, 6)
    assert said[-1].endswith("╳ blue-2 died: exit code 1")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (120, "╏ blue takes 100 %   ╳ blue-4 died: exit code 0; replacing it now"),
        (62, "╏ blue takes 100 %   ╳ blue-4 died: exit code 0"),
        (44, "╏ blue takes 100 %   ╳ blue-4 died"),
        (24, "╳ blue-4 died"),
    ],
)
def test_the_legend_of_marks_says_whole_clauses_as_many_as_fit(cells: int, said: str) -> None:
    moved = Mark(10, MarkKind.TRAFFIC, "blue takes 100 %", "blue")
    died = Mark(20, MarkKind.DIED, "blue-4 died: exit code 0; replacing it now", "blue")
    assert text(legend((moved, died), 0, cells)).strip() == said


def test_the_log_of_a_replica_stays_out_of_the_deck_until_it_is_asked_for() -> None:
    events = scenes.then(
        scenes.at_ten(),
        ev.Tailed(ENDPOINT, "blue-2", MOMENT + 600),
        ev.Logged(ENDPOINT, "blue-2", "GET /health 200"),
    )
    pane, view = Log(), seen(events)
    assert not any("GET /health" in line for line in lines(pane, view, 100, 50))
    pane.source, pane.sources = "blue-2", frozenset({"blue-2"})
    assert [line[-15:] for line in lines(pane, view, 100, 50)] == ["GET /health 200"]


def test_a_load_that_is_over_says_what_it_came_to() -> None:
    over = scenes.then(scenes.at_ten(), ev.LoadEnded(ENDPOINT, "background", "by ops", how=LoadOutcome.STOPPED))
    pane, view = LoadPane(), seen(over, MOMENT + 60)
    first = lines(pane, view)[0]
    assert first.startswith("stopped 14:02:31   48,350 requests   0.1 % failed")
    assert pane.name_of(view) == "load · background · stopped"
    assert pane.why(view)[0] == "background load stopped: by ops"
    silent = lines(pane, seen(scenes.at_ten(), MOMENT + 60))[0]
    assert silent == "no sample since 14:02:31"


def test_the_gates_fold_into_a_line() -> None:
    folded = Gates()
    folded.folded = True
    (line,) = lines(folded, seen(scenes.at_ten()), 78, 1)
    assert line.startswith("gates ✔4  ?1 p99  ~1 dry run")
    assert line.endswith("0:19 left at 10 %")
    (line,) = lines(folded, seen([]), 78, 1)
    assert line == "gates judge a release while its traffic grows"


def test_before_there_is_traffic_the_planned_gates_are_shown() -> None:
    said = lines(Gates(), seen(recorded(MOMENT - 55), MOMENT - 55), 32, 14)
    assert said[0] == "will hold while traffic grows"
    assert said[1].startswith("◦ errors")


def test_a_stage_that_failed_says_why() -> None:
    broken = scenes.then(recorded(MOMENT - 55), ev.StepFailed("late-0007", 2, "out of memory"), at=MOMENT - 54)
    view = seen(broken, MOMENT - 50)
    pane = Stages()
    pane.view = view
    assert lines(pane, view, 32, 14)[2].startswith("✖ train      out of mem")
    assert pane.why(view)[:2] == ["train: out of memory", "train: 11 of 20"]
    pane.full = True
    assert any(line.strip() == "out of memory" for line in lines(pane, view, 116, 34))


def test_older_lines_of_the_log_come_by_going_up() -> None:
    pane, view = Log(), seen(scenes.at_ten())
    newest = lines(pane, view, 100, 5)
    pane.view = view
    pane.above = 5
    assert lines(pane, view, 100, 5) != newest
    assert pane.note_of(view) == "5 newer"
    pane.words = "no such word"
    assert lines(pane, view, 100, 5) == ["no line has 'no such word'; escape shows all"]


def test_a_load_that_was_not_begun_has_no_figures_of_the_one_before() -> None:
    not_begun = ev.LoadEnded(ENDPOINT, "background", "locust is not there", how=LoadOutcome.NOT_BEGUN)
    began = ev.LoadStarted(ENDPOINT, "background", scenes.ONE_USER)
    anew = seen(scenes.then(scenes.at_ten(), began, not_begun, at=MOMENT + 5), MOMENT + 6)
    assert lines(LoadPane(), anew, 80, 1) == ["not begun: locust is not there"]
    again = scenes.each_second(scenes.then(scenes.at_ten(), began), scenes.clients(MOMENT, 2, 9))
    broken = seen(scenes.then(again, not_begun, at=MOMENT + 3), MOMENT + 30)
    assert LoadPane().name_of(broken) == "load · background · broke off"
    assert "18 requests" in lines(LoadPane(), broken, 80, 1)[0]


def test_a_load_that_counted_nothing_has_its_own_end_and_no_figures_of_the_one_before() -> None:
    began = ev.LoadStarted(ENDPOINT, "background", scenes.ONE_USER)
    stopped = ev.LoadEnded(ENDPOINT, "background", "it was over", how=LoadOutcome.STOPPED)
    begun = scenes.then(scenes.at_ten(), began, at=MOMENT + 60)
    mute = seen(scenes.then(begun, stopped, at=MOMENT + 300), MOMENT + 301)
    assert lines(LoadPane(), mute, 80, 1) == [f"stopped {as_text.clock(MOMENT + 300)}   no answer was counted"]
    sent = scenes.each_second(begun, scenes.clients(MOMENT + 61, 2, 9))
    heard = seen(scenes.then(sent, stopped, at=MOMENT + 300), MOMENT + 301)
    (line,) = lines(LoadPane(), heard, 80, 1)
    assert line.startswith(f"stopped {as_text.clock(MOMENT + 300)}   18 requests")


def test_how_a_load_ended_is_said_and_red_where_it_is_not_good() -> None:
    killed = scenes.then(
        scenes.at_ten(),
        ev.LoadEnded(ENDPOINT, "background", "killed by SIGKILL after 4 of 20 s", how=LoadOutcome.KILLED),
    )
    pane, view = LoadPane(), seen(killed, MOMENT + 60)
    assert pane.name_of(view) == "load · background · killed"
    assert ("killed", "fails") in pane.lines(view, 80, 12)[0]
    assert pane.why(view)[0] == "background load killed: killed by SIGKILL after 4 of 20 s"
    stopped = scenes.then(scenes.at_ten(), ev.LoadEnded(ENDPOINT, "background", how=LoadOutcome.STOPPED))
    assert ("stopped", "dim") in pane.lines(seen(stopped, MOMENT + 60), 80, 12)[0]


def test_exceptions_of_the_loads_own_code_and_the_kinds_of_failure_are_on_the_screen() -> None:
    failed = {"503": 7, "timeout": 9, "connect": 3, "404": 1}
    bad = Sample(None, MOMENT + 1, 80, failed, 300, errors={"ValueError: no such column": 8458})
    said = lines(LoadPane(), seen(scenes.then(scenes.at_ten(), ev.Sampled(ENDPOINT, bad), at=MOMENT + 1)), 100, 14)
    assert said[1] == "✖ 86 failed in all: 503 ×73, timeout ×9, connect ×3"
    assert said[2] == "! 8,458 exceptions in the load's own code: ValueError: no such column ×8,458"


def test_time_that_nobody_watched_is_a_gap_in_a_chart() -> None:
    assert breaks([1, 2, 3, 9, 10], [1.0] * 5) == {3}
    assert breaks([10, 20, 30, 31], [10, 10, 10, 1]) == frozenset()
    curve = Curve("rps", [1, 2, 9, 10], [5, 5, 7, 7], breaks([1, 2, 9, 10], [1.0] * 4))
    assert [list(xs) for xs, _ in curve.stretches()] == [[1, 2], [9, 10]]


def test_replicas_are_drawn_only_while_somebody_watched() -> None:
    points = [Point(0, "blue", 2), Point(50, "blue", 4), Point(200, "blue", 3)]
    whole = stairs(points, Axis(20, 220), "blue")
    assert list(zip(whole.xs, whole.ys, strict=True)) == [(20, 2), (50, 2), (50, 4), (200, 4), (200, 3), (220, 3)]
    gone = stairs(points, Axis(20, 220), "blue", [Silence(60, 200)])
    stretches = [list(zip(xs, ys, strict=True)) for xs, ys in gone.stretches()]
    assert stretches == [[(20, 2), (50, 2), (50, 4), (60, 4)], [(200, 3), (220, 3)]]


def test_where_it_is_low_and_wide_the_charts_stand_side_by_side() -> None:
    pane = LoadPane()
    pane.narrow = True
    said = lines(pane, seen(scenes.at_ten()), 116, 16)
    assert len(said) == 16
    # Requests, latency, and failures as there are some.
    assert said[-2].count("now") == 3
    assert "%" in said[2][76:]
    assert max(width(line) for line in pane.lines(seen(scenes.clients_fail(), MOMENT + 6), 116, 16)) <= 116


def test_replicas_of_two_slots_that_are_as_many_are_both_seen() -> None:
    curves = [Curve(role, [0, 60], [2, 2]) for role in ("bar.blue", "bar.green")]
    load()
    drawn = Chart().lines((), curves, Axis(0, 60), (), (40, 4), woven=True)
    roles = {role for line in drawn for text, role in line if any(0x2800 < ord(char) < 0x2900 for char in text)}
    assert roles == {"bar.blue", "bar.green"}


def test_failures_have_a_curve_of_their_own_and_only_where_there_are_any() -> None:
    samples = [Sample(None, float(at), 10, {"503": 10} if at == 5 else {}) for at in range(10)]
    curves = LoadCharts()._curves(samples, Axis(0, 9))
    (failed,) = curves["failed"]
    assert (failed.role, list(failed.xs), list(failed.ys)) == ("failed", [4, 5, 6], [0, 50, 0])
    said = lines(LoadPane(), seen(scenes.clients_fail(), MOMENT + 6), 100, 14)
    assert any(line.strip().startswith("80 %") for line in said)


def test_what_is_pending_stands_at_the_endpoint() -> None:
    def left(again_at: float) -> ev.Pended:
        why = "registry did not answer"
        return ev.Pended(ENDPOINT, ev.PendingKind.ALIASES, why, again_at, back=True, release=RELEASE)

    removal = ev.Pended(ENDPOINT, ev.PendingKind.REMOVAL, "host did not answer", MOMENT + 9, slot="green")
    view = seen(scenes.then(scenes.rolled_back(), left(1.0), left(2.0), removal), KEY + 5)
    said = lines(TrafficPane(), view, 100, 6)
    assert said[2] == "… aliases back pending: registry did not answer, tried 2 times (and 1 more)"
    assert said[4] == "… removal of green pending: host did not answer"
    assert "moves" in {role for _, role in TrafficPane().lines(view, 100, 6)[2]}
    assert "pending removal of green pending" not in "\n".join(TrafficPane().why(view))
    assert "aliases back pending: registry did not answer, tried 2 times" in "\n".join(TrafficPane().why(view))


def test_what_a_slot_costs_stands_beside_it_where_there_is_room() -> None:
    events = scenes.rolled_back()
    slots = fold_all(events).endpoint(ENDPOINT).slots.values()
    priced = [ev.Observed(ENDPOINT, replace(seen, costs="$0.20–0.40/h")) for seen in slots if seen.slot == "blue"]
    view = seen(scenes.then(events, *priced), KEY + 1)
    blue, green = lines(TrafficPane(), view, 100, 6)[:2]
    assert "$0.20–0.40/h" in blue
    assert "$" not in green
    assert "$" not in "".join(lines(TrafficPane(), view, 50, 6))
    assert "blue costs $0.20–0.40/h" in TrafficPane().why(view)


def test_a_comparison_says_in_a_line_what_is_shown_and_all_of_it_under_why() -> None:
    gate = Gate("failed_percent", "<", 0.5, "live")
    why = "+0.3 points, failed 1.2 % of 300 against live's 0.9 % of 2700; nothing worse is shown"
    said = Verdict(gate, GateResult.PASS, 0.3, why)
    assert shortly(said) == "nothing worse is shown"
    assert any(why in line for line in Gates().why(seen(scenes.then(scenes.at_ten(), ev.Judged(RELEASE, 10, (said,))))))


@pytest.mark.parametrize(
    ("there_s", "most", "shown"), [(3, 180, 60), (61, 180, 90), (100, 180, 120), (7200, 180, 180), (7200, 900, 900)]
)
def test_the_time_axis_spans_what_there_is(there_s: float, most: float, shown: float) -> None:
    over = axis(MOMENT, MOMENT - there_s, most)
    assert (over.end - over.start, over.end) == (shown, MOMENT)


# Why it does not scale

FULL = "! cpu 91 % of 60 % asks for 13 replicas, the maximum is 8"
DO = "  → raise endpoint.autoscaling.max and release again, or make answers cheaper"


def test_what_keeps_a_slot_from_scaling_has_its_line_and_in_much_room_the_next_step() -> None:
    load()
    view = seen(scenes.at_maximum())
    assert FULL in lines(Scaling(), view, 82, 6)[1]
    told = lines(Scaling(), view, 146, 11)
    assert told[1:3] == [FULL, DO]
    assert len(told) == 11
    # What was decided last stands below the chart, newest last, where that leaves the chart its room.
    assert told[-1].startswith("14:01:11  blue 4 → 8: cpu 151 % of 60 %")
    assert told[-2].startswith("14:00:56  blue 2 → 4")
    folded = Scaling()
    folded.folded = True
    for cells in (40, 58, 80):
        assert "! maximum" in lines(folded, view, cells, 1)[0]
    more = replace(view.snapshot.endpoint(ENDPOINT).slots["blue"], wanted=6)
    assert "   kept 8" in lines(folded, seen(scenes.then(scenes.at_maximum(), ev.Observed(ENDPOINT, more))), 80, 1)[0]
    assert f"{FULL[2:]} →{DO[3:]}" in Scaling().why(view)


def test_a_size_that_is_enough_takes_no_line_from_the_chart() -> None:
    load()
    view = seen(scenes.at_ten())
    assert lines(Scaling(), view, 82, 6)[0].startswith("8 of 2–15 · 8 ready   cpu 64 % of 60 %   keeps 8: within tol")
    assert not any("·" in line for line in lines(Scaling(), view, 82, 6)[1:5])
    assert lines(Scaling(), view, 146, 20)[1] == ("· cpu 64 % of 60 % is within a tenth of its target: 8 replicas stay")


def test_why_it_does_not_scale_is_not_said_of_what_was_long_heard_of() -> None:
    load()
    stale = seen(scenes.at_maximum(), MOMENT + 60)
    assert not any("asks for" in line for line in lines(Scaling(), stale, 146, 11))


def test_where_nothing_is_served_yet_the_release_that_is_under_way_brings_it() -> None:
    def said(plan: Plan | None) -> str:
        bodies: list[ev.Body] = [ev.Opened(ENDPOINT, "http://127.0.0.1:8080", "dev")]
        bodies += [] if plan is None else [ev.Began("late-2", ENDPOINT, "dev", plan)]
        view = seen([Event(n, MOMENT, "ada", body) for n, body in enumerate(bodies, 1)], MOMENT + 1)
        return lines(TrafficPane(), view, 80, 4)[1]

    assert said(None) == "quarterdeck release trains and serves a model"
    assert said(Plan("canary", (Work("train"), Deploy(1)))) == "late-2 brings a version here"
    assert said(Plan("train only", (Work("train"),))) == "late-2 only makes a version"


def test_a_slot_that_was_scaled_to_none_is_not_within_its_bounds() -> None:
    look = Scaled("green", MOMENT, 0, 0, "scaled to 0", min=2, max=4)
    asleep = Observation("green", Version("late", "5"), 0, 0, 0.0)
    view = seen(scenes.then(scenes.served(), ev.Observed(ENDPOINT, asleep), ev.Looked(ENDPOINT, look)), MOMENT)
    only = replace(view.endpoint, scaled={"green": look}) if view.endpoint else None
    assert only is not None
    shown = replace(view, snapshot=replace(view.snapshot, endpoints={ENDPOINT: only}))
    assert text(Scaling().lines(shown, 118, 1)[0]).startswith("0 replicas · 0 ready   keeps 0: scaled to 0")
