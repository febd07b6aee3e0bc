"""Nouns to JSON and back."""

import importlib
import json
import pkgutil
import typing

import pytest
from hypothesis import given, settings

import core.domain
import core.state
from core.domain import gates, histogram, model, plan, sample
from core.domain.errors import JournalError
from core.state import codec, commands, events
from core.state.codec import dumps, loads
from core.state.events import Logged, StepDone, StepMoved
from tests.nouns import BODIES, HISTOGRAMS


@settings(max_examples=150, deadline=None)
@given(BODIES)
def test_every_event_comes_back_as_it_was(body: events.Body) -> None:
    text = dumps(body)
    assert "\n" not in text
    assert loads(text) == body
    assert type(loads(text)) is type(body)


@given(HISTOGRAMS)
def test_a_histogram_keeps_its_buckets(latencies: histogram.Histogram) -> None:
    assert loads(dumps(latencies)) == latencies


def test_every_event_is_known_by_its_name_and_no_two_nouns_share_one() -> None:
    found = (pkgutil.iter_modules(room.__path__, f"{room.__name__}.") for room in (core.domain, core.state))
    modules = [importlib.import_module(one.name) for room in found for one in room]
    names = [
        name
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and hasattr(kind, "__dataclass_fields__")
    ]
    assert len(names) == len(set(names))
    assert {kind.__name__ for kind in typing.get_args(events.Body)} <= set(names)
    assert {kind.__name__ for kind in typing.get_args(commands.Command)} <= set(names)
    assert set(events.TELEMETRY) <= set(names)
    # In whichever module a noun stands, a line of it is read; these are only shown.
    shown = {"Confirmation", "Deed", "Message", "ServedShare", "ServedTraffic", "_Moved"}
    shown |= {"Rollout", "Terms", "DeliveryFigures", "ReleaseRow", "BackTaken", "_Told", "Mix"}
    shown |= {"Diagnosis", "Examination", "GoneSlot", "MovedTraffic", "Reference", "VersionName"}
    assert {name for name in names if not is_known(name)} == shown


def is_known(name: str) -> bool:
    """Whether a line may be of such a noun, even where this one says too little."""
    try:
        loads(f'{{"is":"{name}"}}')
    except JournalError as error:
        return "unknown to this version" not in str(error)
    return True


def test_what_is_not_a_number_becomes_nothing() -> None:
    moved = StepMoved("r", 0, "train", None, {"f1": float("nan"), "all": (1.0, float("inf"))})
    assert loads(dumps(moved)) == StepMoved("r", 0, "train", None, {"f1": None, "all": (1.0, None)})


def test_names_of_others_do_not_collide_with_ours() -> None:
    result = {"labels": {"is": {"f1": 0.5}, "was": 1}, "is": "Version"}
    assert loads(dumps(StepDone("r", 0, "", result))).result == result


def test_a_line_of_an_older_version_is_read() -> None:
    version = '{"is":"Version","model":"late","number":"7","run_id":"","uri":"","digest":""}'
    failed = '{"is":"mapping","items":[["is",2],["503",1]]}'
    sampled = f'{{"is":"Sampled","endpoint":"late","sample":{{"is":"Sample","slot":"blue","at":1,"failed":{failed}}}}}'
    assert loads(f'{{"is":"Chose","release":"r","version":{version}}}') == events.Chose("r", model.Version("late", "7"))
    assert loads(sampled) == events.Sampled("late", sample.Sample("blue", 1.0, 0, {"is": 2, "503": 1}))


def test_a_line_with_spaces_is_read_all_the_same() -> None:
    passes = gates.Verdict(gates.Gate("rps", ">", 1.0), gates.GateResult.PASS, 2.0, "x")
    sampled = events.Sampled("late", sample.Sample("blue", 1.0, 2, latency=histogram.Histogram.of([3.0, 4.0])))
    for fact in (events.Judged("r", 0, (passes,)), sampled):
        assert loads(json.dumps(json.loads(dumps(fact)), indent=1)) == fact


def test_half_a_character_beside_what_is_not_a_number() -> None:
    moved = StepMoved("r", 0, "\udce4", None, {"f1": float("inf")})
    assert loads(dumps(moved)) == StepMoved("r", 0, "\udce4", None, {"f1": None})


def test_any_text_is_one_line() -> None:
    line = Logged("late", "train", "half a\udce4 character\nand a line")
    assert loads(dumps(line)) == line
    assert "\n" not in dumps(line)


def test_a_line_begins_with_its_name_and_holds_no_spaces() -> None:
    assert dumps(events.StepStarted("r", 1)) == '{"is":"StepStarted","release":"r","index":1}'
    assert dumps(plan.Summarise()) == '{"is":"Summarise"}'
    assert loads('{"is":"Summarise"}') == plan.Summarise()
    assert dumps(Logged("late", "train", "\udce4")).startswith('{"is":"Logged","endpoint":"late","source":"train",')


def test_bytes_that_are_no_text_are_read_as_what_they_are() -> None:
    line = dumps(Logged("late", "train", "caf")).encode().replace(b"caf", b"caf\xe9")
    assert loads(line) == Logged("late", "train", "caf\udce9")
    assert loads(dumps(events.Paused("r")).encode()) == events.Paused("r")


def test_the_shape_is_another_where_nouns_hold_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for nouns in ((model.Version, plan.Ask), (plan.Ask, model.Version), (plan.Ask, sample.Sample), (plan.Ask,)):
        monkeypatch.setattr(codec, "_classes", lambda nouns=nouns: {noun.__name__: noun for noun in nouns})
        codec.shape.cache_clear()
        seen.append(codec.shape())
    codec.shape.cache_clear()
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


def test_a_fact_whose_types_say_all_goes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Logged("late", "train", "a line")
    text = dumps(line)
    for name in ("noun", "plain"):
        monkeypatch.delattr(codec, name)
    assert (dumps(line), loads(text), loads(text.encode())) == (text, line, line)


def test_keys_are_text_and_lists_are_tuples() -> None:
    assert loads(dumps({1: [1, 2]})) == {"1": (1, 2)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a noun"),
        ('{"is":"Pau', "not a noun"),
        ('{"is":"Sank"}', "Sank: unknown to this version of Quarterdeck; install the one that wrote it"),
        ('{"is":["Sank"]}', ".* unknown to this version"),
        ('{"is":"Paused"}', "Paused: .*missing"),
        ('{"is":"Ended","release":"r","outcome":"lost"}', "Ended: Invalid enum value 'lost'"),
        ('{"is":"Histogram","counts":{"x":1}}', "Histogram: Expected `int`, got `str`"),
        ('{"is":"Paused","release":7}', "Paused: Expected `str`, got `int`"),
        ('{"is":"mapping"}', "not a noun"),
        ('{"is": "Sample", "slot": "b", "at": 1, "failed": {"is": "mapping"}}', "Sample: Expected `int`, got `str`"),
    ],
)
def test_what_is_no_noun_is_one_line(text: str, said: str) -> None:
    with pytest.raises(JournalError, match=f"^{said}") as caught:
        loads(text)
    assert "\n" not in str(caught.value)


def test_a_field_of_a_later_version_is_left_out() -> None:
    assert loads('{"is":"Paused","release":"r","mood":"fine"}') == events.Paused("r")


def test_what_is_no_noun_of_ours_can_not_be_written() -> None:
    with pytest.raises(TypeError, match=r"^object is no noun"):
        dumps(object())
    assert json.loads(codec.dumps(gates.GateResult.PASS)) == "PASS"
    assert type(codec.plain(gates.GateResult.PASS)) is str
