"""Lists and watches: selectors, pages, going on, what is too old."""

from typing import Any

from tests.kubernetes.bodies import config_map
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster


def _names(items: list[dict[str, dict[str, str]]]) -> list[str]:
    return [one["metadata"]["name"] for one in items]


def test_labels_choose(caller: Caller) -> None:
    for colour in ("blue", "green", "red"):
        caller.create("configmaps", config_map(colour, {"colour": colour}))
    chosen = {
        "colour=blue": ["blue"],
        "colour!=blue,colour": ["green", "red"],
        "colour in (blue,green)": ["blue", "green"],
        "colour notin (blue,green),colour": ["red"],
    }
    for selector, names in chosen.items():
        assert _names(caller.get("configmaps", labelSelector=selector).json()["items"]) == names
    assert caller.get("configmaps", labelSelector="a in (b").status_code == 400
    assert caller.get("configmaps", fieldSelector="metadata.name=red").json()["items"][0]["data"] == {}
    assert caller.get("pods", fieldSelector="spec.nothing=1").status_code == 400


def test_pages_are_of_one_version_until_it_is_compacted(caller: Caller, cluster: Cluster) -> None:
    for number in range(4):
        caller.create("configmaps", config_map(f"note-{number}", {"of": "note"}))
    first = caller.get("configmaps", labelSelector="of=note", limit=2).json()
    caller.create("configmaps", config_map("note-9", {"of": "note"}))
    following = first["metadata"]["continue"]
    second = caller.get("configmaps", labelSelector="of=note", limit=9, **{"continue": following}).json()
    assert _names(first["items"] + second["items"]) == [f"note-{number}" for number in range(4)]
    cluster.do(cluster.compact)
    expired = caller.get("configmaps", labelSelector="of=note", **{"continue": following})
    assert (expired.status_code, expired.json()["reason"]) == (410, "Expired")
    again = {"continue": expired.json()["metadata"]["continue"]}
    assert "note-9" in _names(caller.get("configmaps", labelSelector="of=note", **again).json()["items"])
    assert caller.get("configmaps", **{"continue": "rubbish"}).status_code == 400


def test_a_watch_tells_what_came_after_and_goes_on_from_there(caller: Caller) -> None:
    version = caller.get("configmaps").json()["metadata"]["resourceVersion"]
    caller.create("configmaps", config_map("notes", {"of": "notes"}, a="1"))
    caller.patch("configmaps", "notes", {"metadata": {"labels": {"of": "other"}}})
    caller.patch("configmaps", "notes", {"metadata": {"labels": {"of": "notes"}}})
    caller.delete("configmaps", "notes")
    events = caller.watched("configmaps", version, labelSelector="of=notes")
    assert [one["type"] for one in events] == ["ADDED", "DELETED", "ADDED", "DELETED"]
    middle = events[1]["object"]["metadata"]["resourceVersion"]
    assert [one["type"] for one in caller.watched("configmaps", middle, labelSelector="of=notes")] == [
        "ADDED",
        "DELETED",
    ]


def test_a_watch_from_before_the_compaction_ends_in_an_error(caller: Caller, cluster: Cluster) -> None:
    version = caller.get("configmaps").json()["metadata"]["resourceVersion"]
    caller.create("configmaps", config_map("notes"))
    cluster.do(cluster.compact)
    (event,) = caller.watched("configmaps", version)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_may_begin_with_what_is_there_and_say_so(caller: Caller) -> None:
    caller.create("configmaps", config_map("notes", {"of": "notes"}))
    asked: dict[str, Any] = {"labelSelector": "of=notes", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    events = caller.watched("configmaps", "", resourceVersionMatch="NotOlderThan", **asked)
    assert [one["type"] for one in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
