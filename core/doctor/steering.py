"""Who steers: the watch process, the leases of drivers and their last signs; and is the way back proven."""

from collections.abc import Iterable, Mapping

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.doctor.past import KnownPast
from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.hints import typed
from core.state.release import Release
from core.system.text import rough
from core.watch.client import ANSWER_S, WatchClient
from core.watch.place import package_version

START = "quarterdeck watch"


async def watch(client: WatchClient, known: KnownPast) -> Diagnoses:
    """Whether a watch is there, answers, and is of this version. None is started for that."""
    needed = any(endpoint.served is not None for endpoint in known.snapshot.endpoints.values())
    who, status = client.place.who(), await client.status(ANSWER_S / 2)
    if status is None and who is not None and who.alive and not client.place.ended:
        return [fail(f"process {who.pid} gives no sign of life within {ANSWER_S / 2:g} s", f"{START} replaces it")]
    if status is None and not needed:
        return [ok("none; nothing is served, and the next release starts one")]
    if status is None:
        told = "none runs: alerts, retries and replacements wait until one does"
        return [fail(f"{told}; it ended without being asked", START) if client.place.was_there else warn(told, START)]
    if status.version != package_version():
        told = f"process {status.pid} is of version {status.version}, {package_version()} is installed"
        return [warn(told, "quarterdeck restart")]
    return [ok(f"process {status.pid} answers")]


def leases(known: KnownPast, names: Iterable[str]) -> Diagnoses:
    """Of each endpoint that somebody should drive: who does, and how long ago he gave his last sign."""
    found = [line for name in names for line in _lease(known, name)]
    return found or [ok("nobody here drives anything, and nothing is under way from here")]


def _lease(known: KnownPast, name: str) -> Iterable[Diagnosis]:
    holder, live = known.holders.get(name), known.snapshot.live_release(name)
    if holder is not None and holder.hangs:
        told = f"{name}: {holder.label} holds the lease and was silent for {rough(holder.silent_s)}"
        yield fail(told, f"{START}: another takes over")
    elif holder is not None and holder.alive:
        yield ok(f"{name}: {holder.label}, last sign {rough(max(0.0, holder.silent_s))} ago")
    elif live is not None:
        yield fail(f"{name}: {live.id} is under way and nobody drives it", f"{START}; or 'quarterdeck' goes on with it")


def drill(known: KnownPast, settings: Settings) -> Diagnoses:
    """Whether the way back of what is served was proven lately."""
    name = endpoint_name(settings)
    endpoint = known.snapshot.endpoint(name)
    if endpoint.served is None:
        return []
    release, call = known.snapshot.release_of(name), _drill(settings)
    if endpoint.drilled is None or endpoint.drilled_at is None:
        if not _has_way_back(release):
            return [ok("nothing served before, so there is no way back to drill yet")]
        return [warn("the way back was never drilled", call)]
    age_s = known.now - endpoint.drilled_at
    said = f"the way back took {endpoint.drilled.back_ms:.0f} ms {rough(age_s)} ago"
    if endpoint.drilled.failed:
        return [warn(f"{said}, and {endpoint.drilled.failed} requests failed in it", call)]
    if age_s > settings.drill.max_age_s:
        return [warn(f"{said}: more than {rough(settings.drill.max_age_s)}", call)]
    return [ok(said)]


def _drill(settings: Settings) -> str:
    """The command, as 'quarterdeck status' says it too."""
    return typed("drill", settings.environment, settings.production).strip("'")


def _has_way_back(release: Release | None) -> bool:
    return release is not None and release.old_version is not None


def served(known: KnownPast, settings: Mapping[str, Settings]) -> list[str]:
    """The endpoints that serve something or have a release under way."""
    snapshot = known.snapshot
    return [name for name in settings if snapshot.endpoint(name).slots or snapshot.live_release(name) is not None]
