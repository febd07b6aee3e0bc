"""Telemetry that still counts, however old: the last word on each slot, replica, look, verdict and step."""

import sqlite3

from core.state import events as ev

Key = tuple[str, str, str, str]


def keys(body: ev.Body) -> tuple[Key, ...]:
    """What a fact has the last word on."""
    match body:
        case ev.ReplicasSeen(endpoint=endpoint, observation=seen, gone=gone):
            names = (*(replica.name for replica in seen.replicas), *gone)
            return (("seen", endpoint, seen.slot, ""), *(("replica", endpoint, seen.slot, name) for name in names))
        case ev.Observed(endpoint=endpoint, observation=seen):
            return (("slot", endpoint, seen.slot, ""),)
        case ev.UsageSeen(endpoint=endpoint, slot=slot):
            return (("usage", endpoint, slot, ""),)
        case ev.Looked(endpoint=endpoint, scaled=scaled):
            return (("looked", endpoint, scaled.slot, ""),)
        case ev.Contacted(endpoint=endpoint):
            return (("contact", endpoint, "", ""),)
        case ev.Gauged(endpoint=endpoint, slot=slot, metric=metric):
            return (("gauged", endpoint, slot, metric),)
        case ev.Judged(release=release, index=index):
            return (("judged", release, str(index), ""),)
        case ev.StepMoved(release=release, index=index):
            return (("moved", release, str(index), ""),)
        case _:
            return ()


def keep(db: sqlite3.Connection, body: ev.Body, seq: int) -> None:
    """Within a transaction: note that this fact has the last word now."""
    if type(body) is ev.Observed:
        # It holds the whole slot: what was said of single replicas before is in it.
        where = "delete from latest where owner = ? and part = ? and kind in ('seen', 'replica', 'usage')"
        db.execute(where, (body.endpoint, body.observation.slot))
    rows = [(*key, seq) for key in keys(body)]
    if rows:
        db.executemany("insert or replace into latest values (?,?,?,?,?)", rows)
