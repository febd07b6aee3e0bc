"""An obstacle in words: what is in the way, in figures, and the next step. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.hints import typed
from core.domain.model import Reading, Scaled
from core.domain.obstacles import Cause, Obstacle, largest_key
from core.system.text import counted, rough

CALM = frozenset(
    {Cause.WINDOW, Cause.POLICY, Cause.COOLDOWN, Cause.SCHEDULE, Cause.HELD, Cause.UNSCALED, Cause.AWAITED}
)
"""Obstacles that are as they should be: they say why a size stays, and ask nobody to act."""

WORDS: Mapping[Cause, tuple[str, str]] = {
    Cause.METRICS_ABSENT: (
        "the cluster has no metrics API, so nobody measures {metrics}",
        "install metrics-server; 'kubectl top pods' shows when it works",
    ),
    Cause.METRICS_DEAD: (
        "the cluster's metrics API does not answer, so nobody measures {metrics}",
        "look at metrics-server: 'kubectl get apiservice v1beta1.metrics.k8s.io', then its pods in kube-system",
    ),
    Cause.NO_FIGURE: (
        "no {what} of any ready replica was measured: the size stays at {after}",
        "a replica is measured within minutes of getting ready; where it stays so, see its log",
    ),
    Cause.NO_REQUEST: (
        "{what}: its use can't be told in percent of that, so nothing scales",
        "set endpoint.cpu (and endpoint.memory where that is scaled by) and release again",
    ),
    Cause.ZERO: (
        "it was scaled to 0, which switches its autoscaler off",
        "{wake} switches it on",
    ),
    Cause.MAXIMUM: (
        "{asks}, the maximum is {max}",
        "raise {largest} and release again, or make answers cheaper",
    ),
    Cause.HELD: ("{what} holds it at {after} while traffic moves", "it is handed back once the release is over"),
    Cause.GONE: (
        "{what} is not there: its autoscaler has nothing to scale",
        "release again, or delete the autoscaler that is left",
    ),
    Cause.ELSEWHERE: (
        "its autoscaler scales {what}, not this slot",
        "release again, which points it at this slot",
    ),
    Cause.UNSCHEDULABLE: (
        "{pods} of {after} found no node: {what}",
        "add nodes, free what is lacking, or lower endpoint.cpu or endpoint.memory",
    ),
    Cause.IMAGE: (
        "{pods} of {after} can't start, for the image can't be pulled: {what}",
        "mend the image or the pull secret, and release again",
    ),
    Cause.QUOTA: (
        "{pods} of {after} may not be made: {what}",
        "raise the quota (pods are tried again minutes later), or lower {largest} or endpoint.cpu",
    ),
    Cause.CORES: (
        "{after} replicas of {what} may use {have:.3g} cores, this machine has {most:g}: more of them do no more",
        "lower {largest}, or serve from a larger machine",
    ),
    Cause.POLICY: (
        "{asks}, and one step goes from {before} to {most:g} at most",
        "it goes on at its next look, in {next_s:g} s",
    ),
    Cause.COOLDOWN: (
        "{asks}, and it waits {have:.0f} s more: it changes nothing for {most:g} s after a change",
        "it goes on by itself",
    ),
    Cause.SCHEDULE: (
        "the times of {what} hold: between {min} and {max}",
        "they end by themselves, as the schedule has it",
    ),
    Cause.UNSCALED: (
        "no autoscaler looks after it: it stays at {after}",
        "set endpoint.autoscaling and release again, or call {scale}",
    ),
    Cause.AWAITED: (
        "its autoscaler is not there yet, and it stays at {after}: {what}",
        "it is made by itself once that is over",
    ),
    Cause.MISSING: (
        "it has no autoscaler, though endpoint.autoscaling asks for one: it stays at {after}",
        "{renew} makes it anew",
    ),
    Cause.UNWRITTEN: (
        "its autoscaler can't be made, and it stays at {after}: {what}",
        "mend that; it is tried again by itself",
    ),
    Cause.UNREAD: (
        "what its autoscaler does can't be asked: {what}",
        "mend that; it is asked again by itself",
    ),
}


@dataclass(frozen=True, slots=True)
class ScalingReason:
    """Why a slot has the size it has, in a sentence, and the next step; `calm`: nobody need act."""

    cause: Cause
    text: str
    todo: str
    calm: bool = False


def sentence(obstacle: Obstacle, look: Scaled, looked_s: float = 0.0, environment: str = "") -> ScalingReason:
    """One obstacle of a look that was so many seconds ago; commands that it names mean the environment."""
    calm = obstacle.cause in CALM
    if obstacle.cause is Cause.WINDOW:
        return ScalingReason(obstacle.cause, *_window(obstacle, look, looked_s), calm)
    pods = obstacle.have or 0.0
    if obstacle.cause is Cause.COOLDOWN:
        pods = max(0.0, pods - looked_s)
    figures = {
        "what": obstacle.what or "it",
        "have": pods,
        "most": obstacle.most or 0.0,
        "pods": "1 pod" if pods == 1 else f"{pods:g} pods",
        "asks": _asks(look),
        "metrics": " and ".join(one.name for one in look.readings) or "anything",
        "wake": typed(f"scale {max(1, look.min)} --slot {look.slot}", environment),
        "scale": typed("scale N", environment),
        "renew": typed(f"scale {look.after} --slot {look.slot}", environment),
        "largest": largest_key(look.obstacles),
        "min": look.min,
        "max": look.max,
        "before": look.before,
        "after": look.after,
        "next_s": look.next_look_s,
    }
    text, todo = WORDS[obstacle.cause]
    return ScalingReason(obstacle.cause, text.format(**figures), todo.format(**figures), calm)


def measure(reading: Reading) -> str:
    """A metric beside its target."""
    value = "not measured" if reading.value is None else f"{reading.value:.0f} %"
    return f"{reading.name} {value} of {reading.target:g} %"


def _asks(look: Scaled) -> str:
    """What the largest reading asks for."""
    measured = [(one.value / one.target, one) for one in look.readings if one.value is not None]
    said = measure(max(measured, key=lambda pair: pair[0])[1]) if measured else "its metric"
    return said if look.proposed is None else f"{said} asks for {counted(look.proposed, 'replica')}"


def _window(obstacle: Obstacle, look: Scaled, looked_s: float) -> tuple[str, str]:
    """What was recommended a moment ago holds for a while, mostly on the way down."""
    window_s = obstacle.most or 0.0
    left_s = None if obstacle.have is None else max(0.0, obstacle.have - looked_s)
    left = f"for up to {rough(window_s)} more" if left_s is None else f"for {left_s:.0f} s more"
    if look.proposed is not None and look.proposed > look.after:
        return f"{_asks(look)}, and it waits {left} whether that lasts", "it goes by itself"
    why = f"{_asks(look)}, and {look.after} stay {left}: as many were asked for within the last {rough(window_s)}"
    return why, "it goes by itself"
