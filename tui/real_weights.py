"""The weights that slots really have: counted from who answered in the last seconds; nobody answered, nobody knows."""

from collections.abc import Callable, Mapping

from core.domain.model import Slot
from core.domain.sample import Sample, Series
from core.state.endpoint import Endpoint
from core.state.release import Release
from core.state.snapshot import Snapshot
from tui import format as as_text

FRESH_S = 3.0
"""Over so many seconds the real weight is counted."""
USERS_S = 60.0
UNKNOWN = "?"
NO_SERIES = Series()
SeriesOf = Callable[[Slot | None], Series]


def recent(series: Series, since: float, moved: float = 0.0) -> Sample | None:
    """Samples after a moment added up, looked for from the newest on; none that had begun before traffic `moved`."""
    total: Sample | None = None
    for sample in reversed(series.samples):
        if sample.at <= since or sample.at - sample.seconds < moved:
            break
        total = sample if total is None else sample + total
    return total


def shares_since(
    endpoint: Endpoint, series_of: SeriesOf, since: float, release: Release | None
) -> Mapping[Slot, float | None]:
    """Each slot's share in percent of the answers since a moment; None for each where there was none.

    Counted by the versions in the load's answers, or else by the router. What the slot of a `release` answers before
    traffic was asked for it, the smoke test asked.
    """
    tested = release.slot if release is not None and release.live and not release.touched else None
    # What answered before traffic moved says nothing of where it goes now.
    moved = endpoint.verified_at or 0.0
    after = {slot: recent(series_of(slot), since, moved) for slot in endpoint.slots}
    counts = _by_version(endpoint, recent(series_of(None), since, moved)) or {
        slot: s.requests if s and not s.mirrored and slot != tested else 0 for slot, s in after.items()
    }
    total = sum(counts.values())
    return {slot: 100 * counts.get(slot, 0) / total if total else None for slot in endpoint.slots}


def real_weights(snapshot: Snapshot, name: str, now: float) -> Mapping[Slot, float | None]:
    """The shares of the seconds before `now`, for whoever looks once."""
    return shares_since(
        snapshot.endpoint(name),
        lambda slot: snapshot.series.get((name, slot), NO_SERIES),
        now - FRESH_S,
        snapshot.live_release(name),
    )


def users_a_s(snapshot: Snapshot, name: str) -> float:
    """How many requests a second came in the last minute that is known of, without those of a load."""
    since = snapshot.at - USERS_S
    slots = [recent(snapshot.series.get((name, slot), NO_SERIES), since) for slot in snapshot.endpoint(name).slots]
    load = recent(snapshot.series.get((name, None), NO_SERIES), since)
    came = sum(one.requests for one in slots if one is not None and not one.mirrored)
    return max(0, came - (load.requests if load is not None else 0)) / USERS_S


def share(value: float | None) -> str:
    """A real weight in words: `9.8 %`, or that nobody knows it."""
    return UNKNOWN if value is None else as_text.percent(value)


def _by_version(endpoint: Endpoint, load: Sample | None) -> dict[Slot, int] | None:
    versions = {slot: seen.version.number for slot, seen in endpoint.slots.items() if seen.version}
    # Two slots with one version can't be told apart by what answered; the router can.
    if load is None or len(set(versions.values())) < len(versions):
        return None
    counts = {slot: load.mix.get(f"version:{number}", 0) for slot, number in versions.items()}
    return counts if sum(counts.values()) else None
