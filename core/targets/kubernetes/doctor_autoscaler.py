"""What the doctor finds of the autoscalers of an endpoint's slots: are those there that the settings ask for."""

import time

from core.domain.diagnosis import Diagnoses, ok, warn
from core.domain.obstacles import Cause
from core.scaling.sentences import sentence
from core.system.text import counted
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.looks import looks
from core.targets.kubernetes.standing import looked_at


def autoscaler(calls: ApiCalls, at: ClusterEndpoint, environment: str = "") -> Diagnoses:
    """Whether each slot that serves has one."""
    if at.endpoint.autoscaling is None:
        return [ok("endpoint.autoscaling is not set: sizes stay as they are")]
    found = looks(at, looked_at(at, calls), time.time())
    if not found:
        return [ok("the first release makes the autoscaler of its slot")]
    missing = [
        (slot, sentence(one, look, environment=environment))
        for slot, look in sorted(found.items())
        for one in look.obstacles
        if one.cause is Cause.MISSING
    ]
    if missing:
        return [warn(f"{slot}: {reason.text}", reason.todo) for slot, reason in missing]
    return [ok(f"{counted(len(found), 'slot')} scaled by {'its' if len(found) == 1 else 'their'} own")]
