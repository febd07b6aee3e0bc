"""The verdicts on a load: how it ended comes first, then what it measured. Pure; no end but the wanted one passes."""

from collections.abc import Mapping, Sequence

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.judging import holds, judge
from core.domain.load_profile import LoadOutcome
from core.domain.sample import Sample
from core.load.load import LoadResult
from core.system.processes import how_it_ended

SPARE_S, SPARE = 1.0, 0.02
"""A run may be this much shorter by our clock than by Locust's, which began and paused a moment before."""
ENDS: Mapping[LoadOutcome, GateResult] = {
    LoadOutcome.FINISHED: GateResult.PASS,
    LoadOutcome.SHAPE_ENDED: GateResult.PASS,
    LoadOutcome.STOPPED: GateResult.INCONCLUSIVE,
    LoadOutcome.LET_GO: GateResult.INCONCLUSIVE,
}
"""What the way a load ended is worth; every other way fails."""


def verdicts(result: LoadResult, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """Whether it ran as long as it should have, each gate on all that was measured, and its own exceptions."""
    measured = tuple(judge(gate, result.total, None) for gate in gates)
    return (complete(result), *measured, *exceptions(result.total, gates))


def complete(result: LoadResult) -> Verdict:
    """Whether the load ran to its end and sent anything. Without a time of its own it is complete when stopped."""
    wanted_s, ran_s = result.wanted_s, result.ran_s
    gate = Gate("ran_s", ">=", wanted_s or 0.0, at_least=0)
    text = f"{ran_s:.0f} s" if wanted_s is None else f"{min(ran_s, wanted_s):.0f} of {wanted_s:g} s"
    outcome = ENDS.get(result.how, GateResult.FAIL)
    if outcome is GateResult.INCONCLUSIVE and wanted_s is None:
        outcome = GateResult.PASS
    if outcome is GateResult.PASS and wanted_s is not None and ran_s < (1 - SPARE) * wanted_s - SPARE_S:
        outcome = GateResult.FAIL
    why = text if result.how is LoadOutcome.FINISHED and outcome is GateResult.PASS else f"{text}: {result.why}"
    if not result.total.requests and outcome is GateResult.PASS:
        outcome, why = GateResult.INCONCLUSIVE, f"{text}: not one request was sent"
    if result.exit_code and outcome is not GateResult.FAIL:
        outcome, why = GateResult.FAIL, f"{why}; Locust ended with {how_it_ended(result.exit_code)}"
    return Verdict(gate, outcome, ran_s, why)


def exceptions(total: Sample, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """The exceptions of the locustfile's own code, held to the limit for failed requests; none where there is none."""
    limit = next((gate for gate in gates if gate.metric == "failed_percent"), None)
    raised = sum(total.errors.values())
    if limit is None or not (raised or total.requests):
        return ()
    percent = 100 * raised / (raised + total.requests)
    gate = Gate("exceptions_percent", limit.op, limit.limit, at_least=0)
    good = not raised or holds(limit.op, percent, limit.limit)
    most = max(total.errors, key=lambda kind: total.errors[kind], default="")
    why = f"{raised:,} beside {total.requests:,} requests{': ' + most if most else ''}"
    return (Verdict(gate, GateResult.PASS if good else GateResult.FAIL, percent, why),)
