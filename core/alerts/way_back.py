"""Whether a way back would help: what served before must be able to, and not fail in the same way. Pure."""

from collections.abc import Mapping, Sequence

from core.alerts.rules import GOES_BACK, RULES, Measure, Rule
from core.alerts.tally import AnswerTally
from core.domain.model import ReplicaState
from core.state.alert import Alert, AlertState
from core.state.release import ReleaseState
from core.state.reversal import TAKEN_BACK, refused_rollback, rollback_of
from core.state.snapshot import Snapshot

DYING = (ReplicaState.BACKOFF, ReplicaState.DEAD)


def going_back(snapshot: Snapshot, endpoint: str) -> str:
    """The release that is on its way back already; empty without one."""
    live = snapshot.live_release(endpoint)
    return live.id if live is not None and live.state is ReleaseState.BACK else ""


def why_not(rule: Rule, snapshot: Snapshot, endpoint: str, tally: AnswerTally, now: float) -> str:
    """Why nobody should go back, in words; empty where it would help."""
    known, release = snapshot.endpoints.get(endpoint), rollback_of(snapshot, endpoint)
    if (refused := refused_rollback(known, release)) is not None:
        return refused
    old = release.old if release is not None else None
    if known is None or release is None or old is None or release.old_version is None:
        return "nothing served before"
    if known.other is not None and release.outcome in TAKEN_BACK:
        return f"{release.id} was taken back already, and {known.other.by} has it now: who asks for it may take it back"
    label = release.old_version.label
    seen = known.slots.get(old)
    if seen is not None and seen.version == release.old_version and seen.replicas and not seen.ready:
        dying = [replica for replica in seen.replicas if replica.state in DYING]
        if len(dying) == len(seen.replicas):
            because = next((replica.why for replica in dying if replica.why), "")
            return f"{label} in {old} is not able to serve{': ' + because if because else ''}"
    if rule.measure in (Measure.ERRORS, Measure.AVAILABILITY):
        counts = tally.over(max(rule.window_s, rule.for_s), now, old)
        limit = rule.limit if rule.measure is Measure.ERRORS else 100 - rule.limit
        new = tally.over(max(rule.window_s, rule.for_s), now, *([release.slot] if release.slot else []))
        worse = not new.requests or (counts.requests and counts.failed_percent >= new.failed_percent)
        if counts.requests >= max(1, rule.at_least) and counts.failed_percent > limit and worse:
            return f"{label} fails as well: {counts.failed_percent:.1f} % of {counts.requests:,} requests"
    return ""


def earlier(alerts: Mapping[str, Alert], rules: Sequence[Rule], rule: Rule) -> str:
    """What the rule that should have gone back earlier for the same did, in words; empty where there is none."""
    sooner = [one for one in RULES if one.measure is rule.measure and one.does in GOES_BACK and one.name != rule.name]
    own = next((one for one in RULES if one.name == rule.name), rule)
    other = next((one.name for one in sooner if one.for_s < own.for_s), "")
    if not other:
        return ""
    if all(one.name != other for one in rules):
        return f"{other} is off"
    before = alerts.get(other)
    if before is None:
        return f"{other} has not fired"
    if before.state is AlertState.SILENCED:
        return f"{other} is silenced"
    if before.did:
        return f"{other}: {before.did}"
    return f"{other} is {before.state.value}"
