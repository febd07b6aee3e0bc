"""Slots that are kept though they serve nobody: for how long, and which key would use them. Pure."""

from core.domain.model import Observation, ReplicaState
from core.state.endpoint import Endpoint
from core.state.reversal import refused_rollback, refused_undo, rollback_of
from core.state.snapshot import Snapshot
from tui import format as as_text
from tui.view import View


def stays(snapshot: Snapshot, endpoint: Endpoint, seen: Observation, now: float) -> str:
    """That a slot stays though it serves nobody, and for how long; nothing of one that serves or just comes."""
    release = snapshot.release_of(endpoint.name)
    if seen.version is None or endpoint.serving in (None, seen.slot):
        return ""
    if seen.weight > 0 or seen.mirror > 0 or endpoint.weights.get(seen.slot):
        return ""
    if release is not None and release.live and release.slot == seen.slot:
        return ""
    if seen.wanted and seen.replicas and all(one.state is ReplicaState.DRAINING for one in seen.replicas):
        return "is removed"
    due = endpoint.retire.get(seen.slot)
    if due is None:
        return "kept"
    return f"kept for {as_text.about(due - now)}" if due > now else "goes now"


def kept(view: View, seen: Observation) -> tuple[str, ...]:
    """The same, with the key that would use it, in words of falling length."""
    long = stays(view.snapshot, view.endpoint, seen, view.now) if view.endpoint is not None else ""
    if not long:
        return ()
    short, key = long.replace(" for", ""), _key(view, seen)
    if not key:
        return (long, short)
    does = "goes back to it" if key == "R" else "comes forward to it"
    does = f"starts it and {does}" if seen.due == 0 else does
    return (f"{long}, {key} {does}", f"{short} · {key}", short)


def _key(view: View, seen: Observation) -> str:
    """The key that would bring traffic here now."""
    endpoint = view.endpoint
    if endpoint is None or view.name is None or view.read_only:
        return ""
    if view.release is not None and view.release.slot == seen.slot:
        return "u" if refused_undo(endpoint, view.release, view.now) is None else ""
    back = rollback_of(view.snapshot, view.name)
    if back is None or back.old != seen.slot or back.old_version != seen.version:
        return ""
    return "R" if refused_rollback(endpoint, back) is None else ""
