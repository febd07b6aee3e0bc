"""Waiting for what a cluster comes to, with an end to it."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

from tests.kubernetes.caller import Caller
from tests.kubernetes.kinds import Json

T = TypeVar("T")


def until(question: Callable[[], T | Literal[False] | None], what: str, seconds: float = 20) -> T:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def rolled_out(caller: Caller, name: str) -> Json | None:
    """The Deployment once all its pods are of its newest template and ready."""
    body = caller.read("deployments.apps", name)
    status, wanted = body["status"], body["spec"]["replicas"]
    seen = status.get("observedGeneration") == body["metadata"]["generation"]
    counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
    return body if seen and counts == [wanted] * 3 and not status["terminatingReplicas"] else None


def condition(body: Json, kind: str) -> Json:
    """A condition, or nothing."""
    return next((one for one in body["status"].get("conditions", ()) if one["type"] == kind), {})


def pods(caller: Caller, app: str) -> list[Json]:
    """The pods of a Deployment that are not on their way out."""
    found: list[Json] = caller.get("pods", labelSelector=f"app={app}").json()["items"]
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def reasons(caller: Caller, **query: str) -> set[str]:
    """Why events were told."""
    return {one["reason"] for one in caller.get("events", **query).json()["items"]}
