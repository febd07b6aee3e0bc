"""Replicas by hand with the real command, and what it says of them."""

import json

from tests.story.shop import Shop


def test_replicas_by_hand_serve_and_stand_in_the_audit(iris: Shop) -> None:
    before = iris.snapshot().endpoint("iris").slots["blue"].wanted
    refused = iris.run("scale", "0", "--env", "prod")
    assert refused.code == 3
    assert refused.error.startswith("refused: iris: blue: 0 replicas: a slot keeps one at least")
    unnamed = iris.run("scale", str(before + 1))
    assert unnamed.code == 3, "production wants its name"
    told = iris.run("scale", str(before + 1), "--env", "prod", "--reason", "the sale begins")
    assert told.code == 0, told.err
    assert told.lines[-1].startswith(f"iris: blue has {before + 1} replicas ready after ")
    explained = json.loads(iris.run("explain", "--json").out)
    (blue,) = explained["slots"]
    assert (blue["wanted"], blue["ready"], blue["min"]) == (before + 1, before + 1, None)
    assert [one["cause"] for one in blue["reasons"]] == ["not scaled by itself"]
    assert explained["decisions"][-1]["text"] == f"blue to {before + 1}: asked by hand"
    deeds = [json.loads(line) for line in iris.run("audit", "--json", "--since", "10m").lines]
    assert [deed["why"] for deed in deeds if deed["kind"] == "Acted"] == ["the sale begins"]
    back = iris.run("scale", str(before), "--env", "prod")
    assert back.code == 0, back.err
