"""What follows from what a step left behind, as facts. Pure."""

from collections.abc import Iterable, Mapping

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Version
from core.domain.sample import Sample
from core.state import events as ev
from core.state.release import Release


def came_of(
    release: Release, index: int, name: str, result: Mapping[str, object], figure: str, now: float
) -> tuple[ev.Body, ...]:
    """The facts that follow from what a piece of work left behind. `now`: a question waits from then on."""
    facts: list[ev.Body] = []
    version = result.get("version")
    if isinstance(version, Mapping):
        facts.append(ev.Chose(release.id, Version(**{str(k): str(v) for k, v in version.items()})))
    if name == "gate":
        verdicts = tuple(verdict(v) for v in _rows(result.get("verdicts")))
        facts.append(ev.Judged(release.id, index, verdicts))
        if (question := str(result.get("asks") or "")) and release.ask_s > 0:
            return (*facts, ev.Asked(release.id, index, question, now + release.ask_s))
        if not result.get("passed"):
            failed = "; ".join(v.why for v in verdicts if v.outcome is not GateResult.PASS)
            return (*facts, ev.StepFailed(release.id, index, failed or "it did not pass"))
    return (*facts, ev.StepDone(release.id, index, figure, result))


def moved_before(release: Release, known: Iterable[Release], result: Mapping[str, object]) -> str:
    """Where somebody else had moved the alias before this release did; empty when nobody had.

    `known` are all releases from here: what another machine brought there has its alias in that one's registry.
    """
    if not any(one.id != release.id and one.version == release.old_version for one in known):
        return ""
    found, alias = result.get("alias_was"), result.get("alias")
    serves = release.old_version.number if release.old_version is not None else None
    if "alias_was" not in result or serves is None or str(found) in (serves, result.get("number")):
        return ""
    if (
        release.version is not None
        and release.old_version is not None
        and release.version.model != release.old_version.model
    ):
        return ""  # Aliases are each registered model's own: this one's stood wherever it stood.
    where = f"at v{found}" if found is not None else "gone"
    return f"@{alias} was {where}, though v{serves} served: somebody else had moved it"


def verdict(row: Mapping[str, object]) -> Verdict:
    """A verdict on a model, as the work child writes it."""
    limit, value = row.get("limit"), row.get("value")
    against = row.get("against")
    # The limit is worked out already, so it is no change in percent: the name alone says what it is against.
    gate = Gate(
        metric=f"{row['metric']} vs {against}" if against else str(row["metric"]),
        op=str(row.get("op", ">=")),
        limit=float(limit) if isinstance(limit, int | float) else 0.0,
        at_least=0,
    )
    measured = float(value) if isinstance(value, int | float) else None
    return Verdict(gate, GateResult(str(row["outcome"])), measured, str(row.get("why", "")))


def _rows(value: object) -> list[Mapping[str, object]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list | tuple) else []


def figures_of(total: Sample) -> Mapping[str, object]:
    """What a load test is remembered by."""
    return {
        "requests": total.requests,
        "failed": total.failures,
        "exceptions": sum(total.errors.values()),
        "rps": round(total.rps, 1),
        "p50_ms": total.latency.percentile_ms(50),
        "p95_ms": total.latency.percentile_ms(95),
        "p99_ms": total.latency.percentile_ms(99),
        "kinds": {"failed": total.failed, "exceptions": total.errors},
    }
