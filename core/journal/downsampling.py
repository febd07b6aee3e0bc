"""Telemetry of a stretch of time, made coarser: samples are added up, of what was seen the last word stays. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from core.journal import latest
from core.state import events as ev
from core.state.fold_endpoint import merged

Group: TypeAlias = tuple[object, ...]


def downsampled(events: Iterable[ev.Event], step_s: float) -> tuple[list[ev.Event], list[int]]:
    """What is written instead, each in the place of the last of its kind, and the places that are given up."""
    kept: dict[Group, ev.Event] = {}
    counts: dict[Group, int] = {}
    gone: list[int] = []
    for event in events:
        key = _group(event.body, int(event.at // step_s))
        if not key:
            continue
        if (before := kept.get(key)) is not None:
            gone.append(before.seq)
        kept[key] = event if before is None else replace(event, body=_both(before.body, event.body))
        counts[key] = counts.get(key, 0) + 1
    made = [event for key, event in kept.items() if counts[key] > 1]
    return made, sorted({*gone, *(event.seq for event in made)})


def _group(body: ev.Body, bucket: int) -> Group:
    """What is told apart; nothing for what stays as it is: lines, and an autoscaler's changes."""
    match body:
        case ev.Sampled(endpoint=endpoint, sample=sample):
            # Answers to copies are added to nothing that users were answered.
            return ("sampled", endpoint, sample.slot, sample.mirrored > 0, bucket)
        case ev.Looked(scaled=scaled) if scaled.before != scaled.after:
            return ()
        case ev.Observed(endpoint=endpoint, observation=seen):
            return ("slot", endpoint, seen.slot, bucket)
        case _:
            keys = latest.keys(body)
            return (*keys[0], bucket) if keys else ()


def _both(one: ev.Body, two: ev.Body) -> ev.Body:
    """Two facts of one group as one."""
    match one, two:
        case ev.Sampled(sample=first), ev.Sampled(endpoint=endpoint, sample=second):
            return ev.Sampled(endpoint, first + second)
        case ev.ReplicasSeen(), ev.ReplicasSeen(endpoint=endpoint, observation=seen, gone=gone):
            whole = merged(one.observation, seen, gone)
            names = {replica.name for replica in whole.replicas}
            return ev.ReplicasSeen(endpoint, whole, tuple(sorted({*one.gone, *gone} - names)))
        case ev.Observed(), ev.ReplicasSeen(endpoint=endpoint, observation=seen, gone=gone):
            return ev.Observed(endpoint, merged(one.observation, seen, gone))
        case ev.StepMoved(), ev.StepMoved():
            return replace(two, figures={**one.figures, **two.figures})
        case _:
            return two
