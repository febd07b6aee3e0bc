"""Which release a rollback or an undo would take back, and why there may be no way. Pure."""

from dataclasses import dataclass

from core.domain.errors import BadInput, Refused
from core.domain.hints import typed
from core.domain.model import Version
from core.domain.strategies import ROLLBACK
from core.state import events as ev
from core.state.astray import led_away, moved_away, unknown_version, unknown_words
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot

UNDO_S = 60.0
"""For so long a rollback or an abort can be taken back."""
TAKEN_BACK = (ev.Outcome.ROLLED_BACK, ev.Outcome.ABORTED)


def rollback_of(snapshot: Snapshot, endpoint: str) -> Release | None:
    """The release that a rollback would take back.

    The one under way or the last one; after one that failed by itself or was aborted, the one that serves since before
    it, unless traffic was moved from elsewhere and is to come back first. After a rollback there is no second step
    back, whatever failed meanwhile: a key pressed twice must not go twice as far.
    """
    release = snapshot.release_of(endpoint)
    ends_here = (ev.Outcome.DONE, ev.Outcome.ROLLED_BACK, ev.Outcome.STUCK)
    if release is None or release.live or release.outcome in ends_here:
        return release
    if release.old_version is not None and moved_away(snapshot.endpoints.get(endpoint), release):
        return release
    mine = [r for r in snapshot.releases.values() if r.endpoint == endpoint]
    back = max((r for r in mine if r.outcome is ev.Outcome.ROLLED_BACK), key=lambda r: r.ended_seq, default=None)
    last = max((r for r in mine if r.outcome is ev.Outcome.DONE), key=lambda r: r.ended_seq, default=None)
    if back is not None and (last is None or back.ended_seq > last.ended_seq):
        return back
    serving = snapshot.endpoints[endpoint].serving if endpoint in snapshot.endpoints else None
    return last if last is not None and last.slot == serving else release


def just_taken_back(snapshot: Snapshot, endpoint: str, now: float) -> Release | None:
    """The release that somebody took back so shortly ago that who asks for it now means that one."""
    release = rollback_of(snapshot, endpoint)
    # One that ended otherwise, such as by a down, was taken back by nobody.
    if release is None or release.outcome is not ev.Outcome.ROLLED_BACK or release.ended_at is None:
        return None
    return release if now - release.ended_at <= UNDO_S else None


def in_steps(release: Release | None) -> bool:
    """Whether a way back is under way that has steps before its end."""
    way = release.way if release is not None and release.state is ReleaseState.BACK else None
    return way is not None and bool(way.shares)


def refused_rollback(endpoint: Endpoint | None, release: Release | None) -> str | None:
    """Why there is no way back now, in words; None when there is."""
    if endpoint is None or release is None:
        return "nothing was released here; there is no way back"
    if release.state is ReleaseState.BACK:
        # What goes back in steps can go back at once.
        return None if in_steps(release) else f"{release.id} is on its way back already"
    if release.plan.strategy == ROLLBACK:
        version = release.version.label if release.version is not None else "an earlier version"
        another = f"name one with {typed('rollback --to VERSION', release.environment)}, or release"
        return f"{release.id} {'is' if release.live else 'was'} itself the way back to {version}; {another}"
    if release.slot is None:
        return None if release.live else f"{release.id} never got a slot; nothing to take back"
    if release.old is None or release.old_version is None:
        stops = typed("down", release.environment)
        return None if release.live else f"nothing served before {release.id}; there is no way back, {stops} stops it"
    taken_back = release.outcome is not None and release.outcome not in (ev.Outcome.DONE, ev.Outcome.STUCK)
    if taken_back and release.outcome is not None and not led_away(endpoint, release):
        further = typed("rollback --to VERSION", release.environment)
        return f"{release.id} was taken back already ({release.outcome.value}); to go further back, name it: {further}"
    if (unknown := unknown_version(endpoint, release)) is not None:
        return unknown_words(unknown, release, endpoint)
    return _unsure(endpoint, release)


def _unsure(endpoint: Endpoint, release: Release) -> str | None:
    """Why nobody knows where it goes back to: a part of the journal can't be read, and what stands does not show it."""
    new, old = endpoint.slots.get(release.slot or ""), endpoint.slots.get(release.old or "")
    stands = new is not None and new.version == release.version and (old is None or old.version == release.old_version)
    if not release.unread or (stands and (release.live or endpoint.serving == release.slot)):
        return None
    named = typed("rollback --to VERSION", release.environment)
    return (
        f"event {release.unread} of the journal can't be read, and what stands there is not what {release.id} left: "
        f"name what to go back to with {named}, or restore a backup with 'quarterdeck restore BACKUP'"
    )


def refused_undo(endpoint: Endpoint | None, release: Release | None, now: float) -> str | None:
    """Why the last rollback or abort can't be taken back now, in words; None when it can."""
    if endpoint is None or release is None or release.way is None:
        return "there is no rollback to take back"
    if release.state is ReleaseState.BACK:
        return "the rollback is still under way; wait until it is verified"
    if release.state is ReleaseState.FORWARD:
        return "the rollback is being taken back already"
    if release.outcome not in TAKEN_BACK or release.ended_at is None:
        return "the last thing that happened was no rollback"
    if release.way.reached == 0:
        return f"{release.id} had no traffic; there is nothing to take back"
    if now - release.ended_at > UNDO_S:
        return f"the rollback is more than {UNDO_S:.0f} s old; begin a release instead"
    seen = endpoint.slots.get(release.slot or "")
    if seen is None or seen.version != release.version:
        return f"{release.slot or 'the slot'} is gone; begin a release instead"
    return None


@dataclass(frozen=True, slots=True)
class VersionName:
    """A version as people name it; without a `model` whichever it is of."""

    number: str
    model: str = ""

    def means(self, version: Version) -> bool:
        """Whether it is the name of this one."""
        return version.number == self.number and self.model in ("", version.model)


def named_version(snapshot: Snapshot, endpoint: str, text: str) -> VersionName:
    """The version that somebody means: `3`, `v3`, `late/3` or `models:/late/3`.

    Raises BadInput, also where a number alone is one of several models that served here.
    """
    model, _, number = text.removeprefix("models:/").rpartition("/")
    number = number.removeprefix("v")
    if not number.isdecimal():
        raise BadInput(f"--to {text}: name a version by its number, such as 3 or v3, or MODEL/3")
    known = (r.version for r in snapshot.releases.values() if r.endpoint == endpoint and r.version is not None)
    models = sorted({version.model for version in known if version.number == number})
    if not model and len(models) > 1:
        ways = " or ".join(f"--to {one}/{number}" for one in models)
        raise BadInput(f"--to {text}: there was v{number} of {' and of '.join(models)} here; write {ways}")
    return VersionName(number, model)


def earlier(snapshot: Snapshot, endpoint: str, text: str) -> Version:
    """The version of a name that came to all traffic here and was not taken back since; raises Refused, BadInput."""
    wanted = named_version(snapshot, endpoint, text)
    mine = [r for r in snapshot.releases.values() if r.endpoint == endpoint and r.plan.strategy != ROLLBACK]
    ended = sorted((r for r in mine if not r.live), key=lambda r: r.ended_seq)
    newest = {(r.version.model, r.version.number): r for r in ended if r.version is not None}
    served = [r.version for r in newest.values() if r.version is not None and r.outcome is ev.Outcome.DONE]
    served.sort(key=lambda version: (len(version.number), version.number))
    several = len({version.model for version in served}) > 1
    names = ", ".join(f"{one.model} {one.label}" if several else one.label for one in served)
    there = f"; there is {names}" if names else ""
    last = next((r for r in newest.values() if r.version is not None and wanted.means(r.version)), None)
    if last is None or last.version is None:
        raise Refused(f"{endpoint}: v{wanted.number} never served here{there}")
    if last.version not in served:
        how = last.outcome.value if last.outcome is not None else "over"
        raise Refused(
            f"{endpoint}: v{wanted.number} can't be gone back to, for its last release, {last.id}, {how}{there}"
        )
    return last.version
