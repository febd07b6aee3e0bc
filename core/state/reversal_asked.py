"""What comes of asking for a way back, for it to be taken back, for its reason, for a slot to go. Pure."""

from dataclasses import replace

from core.domain.errors import Refused
from core.domain.hints import typed
from core.state import events as ev
from core.state.commands import RetireSlot, Rollback
from core.state.endpoint import Endpoint
from core.state.release import Release
from core.state.reversal import in_steps, refused_rollback, refused_undo
from core.system.text import clean_line

REASON_LENGTH = 300


def asked_rollback(endpoint: Endpoint | None, release: Release | None, command: Rollback) -> tuple[ev.Body, ...]:
    """All traffic back, at once or in steps; raises Refused."""
    asked_at = command.asked_at
    if release is not None and in_steps(release) and command.shares:
        raise Refused(f"{release.id} is on its way back already")
    why_not = refused_rollback(endpoint, release)
    if why_not is not None or release is None:
        raise Refused(why_not or "no release")
    shares = tuple(share for share in command.shares if share < release.reached)
    turned = ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, "rolled back", asked_at, "", shares, command.pause_s)
    return (replace(turned, delete=command.delete, drill=command.drill),)


def asked_undo(
    endpoint: Endpoint | None, release: Release | None, now: float, asked_at: float | None
) -> tuple[ev.Body, ...]:
    """The last way back is taken back; raises Refused."""
    why_not = refused_undo(endpoint, release, now)
    if why_not is not None or release is None:
        raise Refused(why_not or "no release")
    return (ev.TurnedForward(release.id, asked_at),)


def asked_reason(release: Release, text: str) -> tuple[ev.Body, ...]:
    """Why the last way back was taken; raises Refused."""
    if release.way is None:
        raise Refused(f"{release.id} took no way back; a reason is given to a rollback or an abort")
    if not (reason := clean_line(text, REASON_LENGTH)):
        how = typed('reason "TEXT"', release.environment)
        raise Refused(f"the reason is empty; say it in quotes: {how}")
    return (ev.Reasoned(release.id, reason),)


def asked_retire(
    command: RetireSlot, endpoint: Endpoint | None, release: Release | None, now: float
) -> tuple[ev.Body, ...]:
    """A slot without traffic goes now, or once it gets no copy of any; raises Refused."""
    slot = command.slot
    if endpoint is None or slot not in endpoint.slots:
        there = ", ".join(sorted(endpoint.slots)) if endpoint is not None else ""
        raise Refused(f"{command.endpoint}: there is no slot {slot}{f'; there is {there}' if there else ''}")
    asked = endpoint.weights.get(slot, 0.0)
    if endpoint.slots[slot].weight > 0 or asked > 0:
        gets = "gets traffic" if endpoint.slots[slot].weight > 0 else f"is to get {asked:g} % of the traffic"
        raise Refused(f"{command.endpoint}: {slot} {gets}; a slot goes once it has none")
    if release is not None and release.live and slot in (release.slot, release.old):
        raise Refused(f"{command.endpoint}: {release.id} is under way and needs {slot}; wait for its end")
    return ev.Acted(command.endpoint, f"has {slot} removed"), ev.RetireDue(command.endpoint, slot, now)
