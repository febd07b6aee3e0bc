"""The parts of the Azure ML target that ask nobody: claims, the book of operations, logs, shares, proofs."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from core.domain.errors import Refused
from core.domain.model import ReplicaState, Version
from core.system.moment import KeptMoment
from core.system.text import elapsed
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import TAG, DriverClaim, next_claim
from core.targets.azureml.container_logs import after
from core.targets.azureml.following import OperationFollower
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.view import AzureView, asleep_tag, observations, same_route, sizes
from core.targets.azureml.workspace import version_tags
from tests.targets.azureml_scenes import SEVEN


def tagged(*claims: str) -> list[dict[str, str]]:
    """Things with these claims."""
    return [{TAG: claim} for claim in claims]


@pytest.mark.parametrize(
    ("tags", "held", "claim"),
    [
        ([], None, DriverClaim(1, "here/0", 5)),
        (tagged("3 here/0 4"), None, DriverClaim(4, "here/0", 5)),
        (tagged("3 here/0 5"), 3, DriverClaim(3, "here/0", 5)),
        (tagged("7 there/1 9"), None, DriverClaim(8, "here/0", 5)),
        (tagged("what is this", "2 here/0 1"), None, DriverClaim(3, "here/0", 5)),
    ],
)
def test_a_driver_claims_what_no_later_one_has(
    tags: Sequence[dict[str, str]], held: int | None, claim: DriverClaim
) -> None:
    assert next_claim(tags, "here/0", 5, held, "late") == claim


@pytest.mark.parametrize(
    ("tags", "held", "who"),
    [
        (tagged("3 here/0 6"), None, "driver 6 has followed"),
        (
            tagged("3 here/0 5", "4 there/1 1"),
            3,
            r"late: taken over by a driver on there \(project 1\); nothing",
        ),
    ],
)
def test_a_driver_that_was_followed_changes_nothing_more(
    tags: Sequence[dict[str, str]], held: int | None, who: str
) -> None:
    with pytest.raises(Refused, match=who):
        next_claim(tags, "here/0", 5, held, "late")


def ago(seconds: float) -> KeptMoment:
    """So long before now."""
    now = KeptMoment.now()
    return KeptMoment(now.at - seconds, now.boot, now.boot_s - seconds)


def test_what_is_under_way_outlives_the_process_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    book = OperationBook(tmp_path, "late")
    begun = book.begin("deploy", "green", {"number": "7"})
    book.accepted(begun, "https://management/operations/1?s=signature")
    book.begin("traffic", asked={"weights": {"blue": 100}, "mirror": {}})
    found = OperationBook(tmp_path, "late").operations()
    assert [(one.doing, one.slot, bool(one.address)) for one in found] == [
        ("deploy", "green", True),
        ("traffic", "", False),
    ]
    traffic = found[1].id
    assert book.route() == {"weights": {"blue": 100}, "mirror": {}, "change": traffic}
    assert (tmp_path / "late.json").stat().st_mode & 0o777 == 0o600
    assert "signature" not in repr(found)
    assert "signature" not in found[0].words(None)


def test_tags_that_are_written_are_not_called_an_endpoint_that_is_made(tmp_path: Path) -> None:
    book = OperationBook(tmp_path, "late")
    made, tagged = book.begin("endpoint"), book.begin("tags")
    assert made.words(None).startswith("the endpoint is being made: for ")
    assert tagged.words(None).startswith("the endpoint's tags are being written: for ")
    book.ended(tagged, 9.0)
    assert (book.usual_s("endpoint"), book.usual_s("tags")) == (None, 9.0)


def test_a_call_that_is_still_waited_for_is_not_taken_for_lost(tmp_path: Path) -> None:
    book = OperationBook(tmp_path, "late")
    begun = book.begin("deploy", "green")
    assert not replace(begun, begun=ago(30)).unanswered(30)
    assert replace(begun, begun=ago(36)).unanswered(30)
    book.gave_up(begun)
    (lost,) = book.operations()
    assert lost.unanswered(30)
    book.accepted(begun, "https://x")
    (answered,) = book.operations()
    assert not replace(answered, begun=ago(999)).unanswered(30)


@pytest.mark.parametrize("jump_s", [-7200, -3, 7200])
def test_a_clock_that_is_set_changes_no_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    book, wall = OperationBook(tmp_path, "late"), time.time
    book.begin("deploy", "green")
    monkeypatch.setattr("time.time", lambda: wall() + jump_s)
    (one,) = OperationBook(tmp_path, "late").operations()
    assert one.goes_on()
    assert not one.unanswered(30)
    assert one.words(None).startswith("green is being deployed: for 0 s, none before from here, 5 to 15 min as a rule")


def test_what_is_usual_is_the_median_of_those_that_went_well(tmp_path: Path) -> None:
    book = OperationBook(tmp_path, "late")
    for seconds in (100.0, None, 600.0, 580.0):
        one = book.begin("deploy", "blue")
        book.accepted(one, "https://x")
        book.ended(one, seconds)
        book.ended(one, seconds)
    assert book.usual_s("deploy") == 580.0
    assert book.usual_s("traffic") is None
    one = replace(book.begin("deploy", "blue"), begun=ago(125))
    words = one.words(book.usual_s("deploy"))
    assert words.startswith("blue is being deployed: for 2 min, usually 10 min; Azure builds the image")
    assert words.endswith("nobody has answered, it may still happen")


@pytest.mark.parametrize(
    ("address", "usual_s", "silent", "said"),
    [
        ("https://x", 600.0, False, "Creating 12 min, usually 10 min; image, VMs, container"),
        ("https://x", None, False, "Creating 12 min, none before; image, VMs, container"),
        ("https://x", 600.0, True, "Creating 12 min, usually 10 min; no answer how far"),
        ("", 600.0, False, "Creating 12 min, usually 10 min; not answered yet"),
    ],
)
def test_a_narrow_screen_has_room_for_state_age_what_is_usual_and_what_it_waits_for(
    tmp_path: Path, address: str, usual_s: float | None, silent: bool, said: str
) -> None:
    one = replace(OperationBook(tmp_path, "late").begin("deploy", "green"), begun=ago(720), address=address)
    assert one.briefly("Creating", usual_s, silent=silent) == said
    assert len(f"! green 0 of 1 ready: {said}") <= 76


def test_how_it_goes_is_said_again_whenever_it_has_taken_twice_as_long(tmp_path: Path) -> None:
    book, said = OperationBook(tmp_path, "late"), list[str]()
    begun = book.begin("traffic")
    one = replace(begun, address="https://x")
    follower = OperationFollower(
        cast("AzureCalls", None), book, 0.0, lambda *_: "", lambda note: said.append(note.text), lambda _: None
    )
    for age_s in (0, 5, 29, 31, 50, 63, 100, 130, 250, 262):
        follower.announce(replace(one, begun=ago(age_s)))
    assert [text.partition(",")[0] for text in said] == [
        f"traffic moves: for {age}" for age in ("0 s", "30 s", "60 s", "2 min", "4 min")
    ]


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "late.json").write_text('{"operations": [{"id": 1')
    book = OperationBook(tmp_path, "late")
    assert (book.operations(), book.route()) == ((), None)
    book.begin("endpoint")
    assert len(book.operations()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 s"), (47, "40 s"), (89, "80 s"), (125, "2 min"), (5700, "1 h 35 min")]
)
def test_a_span_is_as_fine_as_is_worth_a_word(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("before", "found", "new"),
    [
        ([], ["a"], ["a"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["b", "c", "d"], ["c", "d"]),
        (["a", "b"], ["a", "b", "c"], ["c"]),
        (["a", "a"], ["a", "a", "a"], []),
        (["a"], ["x", "y"], ["x", "y"]),
    ],
)
def test_a_log_goes_on_behind_what_was_told(before: list[str], found: list[str], new: list[str]) -> None:
    assert after(before, found) == new


def body(state: str, version: Version, count: int) -> dict[str, object]:
    """A deployment."""
    return {"tags": version_tags(version), "sku": {"capacity": count}, "properties": {"provisioningState": state}}


@pytest.mark.parametrize(
    ("state", "ready", "left"),
    [
        ("Succeeded", 3, ReplicaState.READY),
        ("Creating", 0, ReplicaState.STARTING),
        ("Scaling", 1, ReplicaState.STARTING),
        ("Updating", 1, ReplicaState.STARTING),
        ("Deleting", 0, ReplicaState.DRAINING),
        ("Failed", 0, ReplicaState.DEAD),
    ],
)
def test_instances_are_ready_as_far_as_the_service_says(state: str, ready: int, left: ReplicaState) -> None:
    view = AzureView({"properties": {}}, {"blue": body(state, SEVEN, 3)})
    before = {"blue": (SEVEN.full, 1)} if state != "Creating" else {}
    seen = observations(view, {}, before)["blue"]
    assert (seen.version, seen.wanted, seen.ready, seen.replicas[-1].state) == (SEVEN, 3, ready, left)


def test_a_smaller_size_is_there_once_the_change_is_over() -> None:
    before = sizes(AzureView({"properties": {}}, {"blue": body("Succeeded", SEVEN, 2)}), {})
    changing = AzureView({"properties": {}}, {"blue": body("Updating", SEVEN, 1)})
    seen = observations(changing, {}, before)["blue"]
    assert (seen.wanted, seen.ready, len(seen.replicas)) == (1, 2, 2)
    over = AzureView({"properties": {}}, {"blue": body("Succeeded", SEVEN, 1)})
    assert observations(over, {}, sizes(changing, before))["blue"].ready == 1


def test_what_was_ready_of_another_version_is_not_of_this_one() -> None:
    changing = AzureView({"properties": {}}, {"blue": body("Updating", SEVEN, 1)})
    assert observations(changing, {}, {"blue": ("late 6", 1)})["blue"].ready == 0


def test_a_slot_without_an_instance_remembers_its_version_within_a_tag() -> None:
    long = Version("late", "7", "r" * 100, "models:/" + "u" * 200, "d" * 64)
    for version in (SEVEN, long):
        tags = asleep_tag("green", version)
        assert all(len(value or "") <= 256 for value in tags.values())
        found = AzureView({"tags": tags}).asleep()["green"]
        assert (found.model, found.number) == ("late", "7")
    assert AzureView({"tags": asleep_tag("green", SEVEN)}).asleep()["green"] == SEVEN
    assert json.loads(str(asleep_tag("green", SEVEN)["quarterdeck-asleep-green"]))["number"] == "7"


def test_routes_are_the_same_whatever_says_them() -> None:
    one = {"weights": {"blue": 100, "green": 0}, "mirror": {}}
    assert same_route(one, {"weights": {"blue": 100.0}, "mirror": None, "at": 3.0})
    assert not same_route(one, {"weights": {"blue": 90.0, "green": 10.0}, "mirror": {}})
