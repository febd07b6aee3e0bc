"""Strikes on releases to Azure ML, a creation that takes long under the eyes of a deck, and secrets that go nowhere.

A short form of tests.azure_chaos.
"""

import math
import re
import time
from collections.abc import Iterator

import pytest

from core.domain.plan import Deploy
from core.state.events import Outcome
from tests.azure.faults import CRASHED
from tests.azure_chaos import END_S, AzureChaos, project
from tests.story.azure_faults import FAULTS
from tests.story.azure_scene import NAME, AzureScene
from tests.story.kills_scene import wait_for
from tests.story.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HANGS_S, CALL_S, CREATED_S = 6.0, 2.0, 20.0
ROUNDS = (
    "the way there's call hangs, sent again, taken back",
    "the deployment is still being created",
)
MADE = re.compile(r"Creating \d+ s, usually \d+ s; image, VMs, container")
"""State, age, what is usual, what it waits for: all of it on the narrow deck too."""
PAGES = ("1", "2", "3", "4", "5", "6", "y", "l", "?")
PIECE = 16
"""So many cells of a secret in a row give it away on a screen that wraps and cuts."""


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureChaos]:
    """One project that serves its first version."""
    with project(tmp_path_factory.mktemp("azure"), HANGS_S, call_s=CALL_S) as one:
        yield one


@pytest.mark.parametrize("name", ROUNDS)
def test_traffic_is_back_whatever_hangs_or_dies(chaos: AzureChaos, name: str) -> None:
    """And nobody's request failed."""
    found = chaos.round(next(one for one in FAULTS if one.name == name))
    assert (found.wrong, found.failed) == ("", 0), found.line


def test_a_creation_that_takes_long_is_followed_through_the_death_of_the_watch(chaos: AzureChaos) -> None:
    """The deck is usable meanwhile, may be left and opened elsewhere, and Azure is asked once alone."""
    scene, azure = chaos.scene, chaos.scene.azure
    scene.take_away_idle()
    since, azure.delays.deployment_s = time.time(), CREATED_S
    call = scene.call(
        *("release", "--env", "prod", "--skip", "load", "--model-uri", f"models:/{NAME}/1"),
        sets=(*scene.sets, "release.strategy=all-at-once"),
    )
    wait_for(lambda: "Creating" in scene.deployed().values(), f"the creation\n{call.text}", END_S)
    with Terminal(scene, "--env", "prod", cells=80, height=24) as deck:
        wait_for(lambda: MADE.search(deck.text), f"{MADE.pattern} on the screen: {deck.text[-2000:]}")
        deck.press("?")
        deck.shows("any other key closes")
        deck.press("x")
        deck.press("q")
    scene.kill_watch()
    killed = time.time()
    with Terminal(scene, "--env", "prod") as second:
        wait_for(lambda: MADE.search(second.text), f"{MADE.pattern} on the screen: {second.text[-2000:]}")
        wait_for(lambda: scene.release.outcome is not None, f"the end\n{call.text}", END_S)
        assert scene.release.outcome is Outcome.DONE, scene.release.why
    call.ends(END_S)
    azure.delays.deployment_s = 0.3
    calls = [one for one in azure.seen if one.came_at >= since]
    assert len([one for one in calls if one.method == "PUT" and "/deployments/" in one.path]) == 1
    polled = {one.path for one in calls if "/mfeOperationsStatus/odidp:" in one.path and one.came_at > killed}
    before = {one.path for one in calls if "/mfeOperationsStatus/odidp:" in one.path and one.came_at < killed}
    assert polled & before, "the operation was not followed on"
    assert any("usually" in text for text in scene.said())


def test_a_container_that_crashes_fails_its_release_with_the_reason_and_long_before_the_deadline(
    chaos: AzureChaos,
) -> None:
    scene = chaos.scene
    scene.take_away_idle()
    scene.azure.fail("*", CRASHED)
    call = scene.call("release", "--env", "prod", "--skip", "load", "--model-uri", f"models:/{NAME}/1")
    assert call.ends(END_S) == 1, call.text
    scene.azure.take_back()
    assert scene.release.outcome is Outcome.FAILED
    assert re.search(r"deploy: (blue|green): the container crashed or never got ready", scene.release.why)
    assert "it wrote last: Worker failed to boot." in scene.release.why
    took_s, deadline_s = next(
        ((one.ended_at or math.inf) - (one.started_at or 0.0), one.step.deadline_s)
        for one in scene.release.steps
        if isinstance(one.step, Deploy)
    )
    assert took_s < deadline_s
    wait_for(lambda: set(scene.deployed()) == set(scene.traffic), "what failed to be gone")


def test_nothing_that_was_written_said_or_painted_holds_a_secret(chaos: AzureChaos) -> None:
    """None of all that the stand-in handed out: tokens, keys, signatures; of what is painted, no piece of one."""
    scene = chaos.scene
    for command in (("status", "--json"), ("doctor", "--env", "prod"), ("report", "--env", "prod"), ("audit",)):
        scene.run(*command)
    screens = [_painted(scene, 80, 24), _painted(scene, 200, 60)]
    handed = scene.handed_out()
    assert len(handed) > 5
    found = [f"{what} in {where}" for where, text in scene.all_that_was_said() for what, one in handed if one in text]
    assert found == []
    pieces = {(what, piece) for what, one in handed for piece in _pieces(one.decode())}
    assert [what for what, piece in pieces for text in screens if piece in text] == []


def _painted(scene: AzureScene, cells: int, height: int) -> str:
    """All that the deck draws while each of its pages is looked at."""
    with Terminal(scene, "--env", "prod", cells=cells, height=height) as deck:
        deck.shows("ready")
        for key in PAGES:
            before = len(deck.text)
            deck.press(key)
            wait_for(lambda before=before: len(deck.text) > before, f"{key} to paint something")  # type: ignore[misc]
            deck.press("\x1b")
        deck.press("?")
        deck.shows("any other key closes")
        return deck.text


def _pieces(secret: str) -> list[str]:
    """What of it is looked for: every window of a few cells."""
    return [secret[at : at + PIECE] for at in range(0, max(1, len(secret) - PIECE + 1), PIECE // 2)]
