"""How verdicts look: a sign, its role, and the role of what was measured."""

from core.domain.gates import GateResult

SIGNS = {
    GateResult.PASS: ("✔", "good", "text"),
    GateResult.FAIL: ("✖", "fails", "fails"),
    GateResult.INCONCLUSIVE: ("?", "waits", "waits"),
    GateResult.ERROR: ("!", "fails", "fails"),
}
