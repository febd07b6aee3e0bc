"""Two versions' fields and labels beside each other, as a table; and what a gate makes of the differences."""

from typing import Any

import pytest

from core.config.settings import FieldSettings
from core.domain.errors import BadInput
from core.work.contract import SHOWN, changes, chosen, told
from core.work.gate import callers_can_go_on

LIVE = {"hour": "integer", "dep_delay": "number", "carrier": "category"}


def contract(fields: dict[str, str], labels: Any = ("late", "on time"), optional: tuple[str, ...] = ()) -> Any:
    """What callers rely on, of fields with these types."""
    listed = [
        {"name": name, "type": kind} | ({"required": False} if name in optional else {})
        for name, kind in fields.items()
    ]
    return {"fields": listed, "labels": labels}


def without(name: str, **more: str) -> dict[str, str]:
    """The live version's fields but one, and more of them."""
    return {key: kind for key, kind in LIVE.items() if key != name} | more


@pytest.mark.parametrize(
    ("scene", "candidate", "breaking", "others"),
    [
        ("the same", contract(LIVE), [], []),
        ("gone", contract(without("carrier")), ["gone carrier"], []),
        ("renamed", contract(without("dep_delay", departure_delay="number")), ["renamed dep_delay"], []),
        ("gone, and another one new", contract(without("hour", gust="number")), ["gone hour", "required gust"], []),
        ("new and required", contract(LIVE | {"gust": "number"}), ["required gust"], []),
        ("new, may be left out", contract(LIVE | {"gust": "number"}, optional=("gust",)), [], ["optional gust"]),
        ("a number is a category", contract(LIVE | {"hour": "category"}), ["type hour"], []),
        ("a category is a number", contract(LIVE | {"carrier": "number"}), ["type carrier"], []),
        ("a whole number is any number", contract(LIVE | {"hour": "number"}), [], ["type hour"]),
        ("a whole number is yes or no", contract(LIVE | {"hour": "boolean"}), [], ["type hour"]),
        ("another order", contract(dict(reversed(LIVE.items()))), ["order hour"], []),
        ("a label more", contract(LIVE, ("late", "on time", "cancelled")), ["labels labels"], []),
        ("a label less", contract(LIVE, ("late",)), ["labels labels"], []),
        ("labels in another order", contract(LIVE, ("on time", "late")), [], []),
        ("labels that are not known", contract(LIVE, None), [], []),
    ],
)
def test_what_callers_notice(scene: str, candidate: Any, breaking: list[str], others: list[str]) -> None:
    found = changes(contract(LIVE), candidate)
    assert [f"{each.kind} {each.name}" for each in found if each.breaking] == breaking, scene
    assert [f"{each.kind} {each.name}" for each in found if not each.breaking] == others, scene
    assert all(each.name in each.text or each.kind == "labels" for each in found)


def test_a_field_that_could_be_left_out_is_required_now() -> None:
    (found,) = changes(contract(LIVE, optional=("hour",)), contract(LIVE))
    assert found.breaking
    assert found.text == "hour could be left out and is required: rows without it are refused"


def test_each_new_name_stands_for_one_old_one_at_most() -> None:
    live, now = {"delay_1": "number", "delay_2": "number"}, {"delay_3": "number"}
    assert [each.kind for each in changes(contract(live), contract(now))] == ["renamed", "gone"]


def test_twenty_thousand_fields_of_other_names_are_told_at_once_and_in_few_words() -> None:
    live, now = ({f"{letter}{number}": "number" for number in range(20_000)} for letter in "ab")
    found = changes(contract(live), contract(now))
    assert len(found) == 40_000
    assert told(found).endswith(f"and {40_000 - SHOWN} more")


@pytest.mark.parametrize(
    ("fields", "allowed", "outcomes"),
    [
        (LIVE, False, []),
        (LIVE | {"hour": "number"}, False, []),
        (without("carrier"), False, ["FAIL"]),
        (without("carrier"), True, ["PASS"]),
    ],
)
def test_what_breaks_callers_fails_unless_it_is_allowed(
    fields: dict[str, str], allowed: bool, outcomes: list[str]
) -> None:
    verdicts = callers_can_go_on(changes(contract(LIVE), contract(fields)), allowed)
    assert [each.outcome for each in verdicts] == outcomes
    assert all("carrier is gone" in each.why and "release.allow_breaking" in each.why for each in verdicts)


def test_a_setting_for_a_field_that_is_not_there_is_refused_with_the_nearest() -> None:
    fields = contract(LIVE)["fields"]
    optional = {"dep_delay": FieldSettings(required=False)}
    assert [each.get("required", True) for each in chosen(fields, optional)] == [True, False, True]
    with pytest.raises(BadInput, match=r"fields\.dep_dely: the model has no such field; did you mean dep_delay\?"):
        chosen(fields, {"dep_dely": FieldSettings()})
