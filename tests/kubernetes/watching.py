"""A watch: what has changed since a version, as one JSON line each, until it is over."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.kubernetes.errors import ApiError, expired
from tests.kubernetes.kinds import ApiResource, Json
from tests.kubernetes.selectors import Chooser
from tests.kubernetes.storage import ObjectStore, StoreChange
from tests.kubernetes.views import seen

BOOKMARK_S = 60.0
LAST_BOOKMARK_S = 2.0
INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """What a watch asked for. `version` None: from what is there now, told first."""

    of: ApiResource
    namespace: str | None
    chosen: Chooser
    version: int | None
    seconds: float
    bookmarks: bool
    initial: bool = False
    bookmark_s: float = BOOKMARK_S


def line(kind: str, body: Json) -> bytes:
    """One event."""
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"


def told(query: WatchQuery, change: StoreChange) -> bytes | None:
    """A change as this watch sees it: what leaves the selection is deleted, what enters it is new."""
    if change.store != query.of.store or query.namespace not in {None, change.key[0]}:
        return None
    before = change.before is not None and query.chosen(seen(query.of, change.before))
    after = change.after is not None and query.chosen(seen(query.of, change.after))
    if after and change.after is not None:
        return line("MODIFIED" if before else "ADDED", seen(query.of, change.after))
    if before and change.before is not None:
        gone = change.last or change.before
        metadata = {**gone["metadata"], "resourceVersion": str(change.version)}
        return line("DELETED", seen(query.of, {**gone, "metadata": metadata}))
    return None


def bookmark(of: ApiResource, version: int, *, ends_initial: bool = False) -> bytes:
    """A version up to which all has been told."""
    metadata: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if ends_initial:
        metadata["annotations"] = INITIAL_END
    return line("BOOKMARK", {"kind": of.kind, "apiVersion": of.group_version, "metadata": metadata})


def too_old(query: WatchQuery, store: ObjectStore) -> bytes | None:
    """The ERROR that a watch from before the last compaction gets."""
    if query.version is None or query.version >= store.compacted:
        return None
    error: ApiError = expired(f"too old resource version: {query.version} ({store.compacted})")
    return line("ERROR", error.body())


def _beginning(query: WatchQuery, store: ObjectStore) -> tuple[int, list[bytes]]:
    """Where a watch begins, and what it tells first."""
    if query.version is not None:
        return query.version, []
    bodies = [seen(query.of, body) for body in store.items(query.of.store, query.namespace)]
    lines = [line("ADDED", body) for body in bodies if query.chosen(body)]
    if query.initial:
        lines.append(bookmark(query.of, store.version, ends_initial=True))
    return store.version, lines


async def events(query: WatchQuery, store: ObjectStore, changed: asyncio.Event) -> AsyncIterator[bytes]:
    """Lines until `seconds` are over. `changed` is set at every write; this clears it."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + query.seconds
    marks = ends if query.seconds < query.bookmark_s else loop.time() + query.bookmark_s
    marks = min(marks, max(loop.time(), ends - LAST_BOOKMARK_S))
    if error := too_old(query, store):
        yield error
        return
    version, lines = _beginning(query, store)
    for one in lines:
        yield one
    while True:
        changed.clear()
        if version < store.compacted:
            yield line("ERROR", expired(f"too old resource version: {version} ({store.compacted})").body())
            return
        for change in store.since(version):
            if (said := told(query, change)) is not None:
                yield said
            version = change.version
        now = loop.time()
        if now >= ends:
            return
        if query.bookmarks and now >= marks:
            yield bookmark(query.of, store.version)
            marks = now + query.bookmark_s
        waits = min(ends, marks if query.bookmarks else ends) - now
        try:
            async with asyncio.timeout(max(waits, 0.001)):
                await changed.wait()
        except TimeoutError:
            continue
