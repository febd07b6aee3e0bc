"""Another key in the variable is said and goes to no pod by itself; a restart gives it to all, under load."""

import base64

import pytest

from core.domain.errors import Refused
from core.system.aside import aside
from core.targets.kubernetes import manifests
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.keys import other_key
from core.targets.kubernetes.paths import SECRETS
from core.targets.kubernetes.restarting import restarted
from core.targets.kubernetes.standing import taken_down
from tests.kubernetes.kinds import Json
from tests.targets.helpers import ONE, TWO, Watcher, loading, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace

ASKED = {"replicas": 2, "key_env": "LATE_KEY"}


def _target(place: ClusterPlace, key: str) -> KubernetesTarget:
    target = KubernetesTarget(place.at, place.folder, key=key, kubeconfig=place.kubeconfig)
    place.made.append(target)
    return target


def _secret(place: ClusterPlace) -> Json:
    return place.calls.ask("GET", SECRETS.path(place.namespace, "late-key"))


def _key(place: ClusterPlace) -> str:
    return base64.b64decode(_secret(place)["data"]["key"]).decode()


def _names(watcher: Watcher) -> set[str]:
    return {one.name for one in watcher.slots["blue"].replicas}


async def test_a_restart_gives_every_pod_the_key_of_now_and_no_request_is_lost(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint=ASKED)
    said: list[str] = []
    target = _target(place, "first")
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        before = _names(watcher)
        async with loading(await target.address(), pause_s=0.02) as load:
            await load.more(20)
            await aside(lambda: restarted(place.at, place.calls, "second", said.append))
            await load.more(20)
        assert load.failed == {}
        await watcher.until(lambda: (len(_names(watcher)) == 2 and not _names(watcher) & before) or None)
    assert _key(place) == "second"
    assert (said[0].count("some know the old one"), said[-1]) == (1, "late: blue: 2 of 2 pods are new")
    assert not [line for line in said if "first" in line or "second" in line]


async def test_a_release_leaves_the_key_that_pods_have_and_says_so(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint=ASKED)
    await _target(place, "first").apply("blue", ONE, 0)
    target = _target(place, "second")
    async with watching(target) as watcher:
        await target.apply("green", TWO, 0)
        note = await watcher.noted("holds another key than LATE_KEY")
    assert "quarterdeck restart --env ENVIRONMENT" in note.text
    assert _key(place) == "first"


async def test_a_secret_of_somebody_else_is_taken_as_it_is(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint=ASKED)
    theirs = {"metadata": {"name": "late-key"}, "data": manifests.key_secret(place.at, "theirs")["data"]}
    place.calls.ask("POST", SECRETS.path(place.namespace), theirs)
    await _target(place, "theirs").apply("blue", ONE, 0)
    with pytest.raises(Refused, match="the Secret late-key is not Quarterdeck's"):
        restarted(place.at, place.calls, "mine", print)
    restarted(place.at, place.calls, "theirs", print)
    assert taken_down(place.at, place.calls)
    assert _key(place) == "theirs"


async def test_what_does_not_stand_is_not_restarted(place_of: MakePlace) -> None:
    place = place_of("selector")
    with pytest.raises(Refused, match="late: nothing stands there"):
        restarted(place.at, place.calls, "", print)


async def test_a_key_that_is_not_known_here_is_no_other_one(place_of: MakePlace) -> None:
    at = place_of("selector", endpoint=ASKED).at
    held = manifests.key_secret(at, "first")
    said = [bool(other_key(at, secret, key)) for secret, key in [(held, "first"), (held, ""), (None, "x"), ({}, "x")]]
    assert (said, bool(other_key(at, held, "x"))) == ([False] * 4, True)
