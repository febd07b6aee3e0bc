"""The steps of a plan in words, each with the time at which it begins at the earliest. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from core.domain.gates import DIFFERING, Gate
from core.domain.plan import Ask, Deploy, Hold, Load, Mirror, Plan, Retire, Shift, Smoke, Step, UsualSpans, Work
from core.system.text import counted, in_digits, rough, span
from tui.format import about

WIDTH = 10
Given: TypeAlias = Callable[[float], str]
AT_ONCE = UsualSpans()
PERSON = "a person"
WORTH_S = 10.0
"""What takes less is done at once, as far as a plan tells."""
PAIRED = "each answer is put beside the user's"
COUNTED = "counts, errors, times and labels are compared, and no answer with another"
"""What a copy's answers are put beside, by whether a gate asks for pairs."""
UNJUDGED = "nothing that comes of it is judged"


def told(plan: Plan, given: Given = lambda _: "", usual: UsualSpans = AT_ONCE, answers: str = PERSON) -> Iterator[str]:
    """Each step in a line, after the time at which it begins at the earliest; work takes what it takes.

    `given` says by what a share comes about, and which one it really is; `answers` who says yes to what a yes that was
    given beforehand is enough for. With `~` in it a time is an estimate: what
    the place took before, or takes as a rule, is in it.
    """
    at_s, mark, work = 0.0, "+", [step.name for step in plan.steps if isinstance(step, Work) and step.name != "alias"]
    if work:
        yield f"{'':<{WIDTH}}work      {', '.join(work)}"
    compared = _compared(plan)
    for step in plan.steps:
        line = _line(step, compared, given, answers, first=plan.first)
        if line is None:
            continue
        usual_s = _usual_s(step, usual)
        usually = f"; {_usually(usual_s, usual)}" if usual_s and isinstance(step, Deploy) else ""
        yield f"{f'T{mark}{span(at_s)}':<{WIDTH - 1}} {line.verb:<10}{line.text}{usually}"
        at_s += line.takes_s + usual_s
        mark = "~" if usual_s else mark


def _compared(plan: Plan) -> str:
    """What is made of the answers to copies."""
    copied, gates = False, list[Gate]()
    for step in plan.steps:
        copied = isinstance(step, Mirror) or (copied and not isinstance(step, Shift))
        gates += step.gates if copied and isinstance(step, Hold | Ask) else ()
    if not gates:
        return UNJUDGED
    return PAIRED if any(gate.metric == DIFFERING for gate in gates) else COUNTED


def _usual_s(step: Step, usual: UsualSpans) -> float:
    """How long a step takes as a rule, where that is worth a word."""
    match step:
        case Deploy():
            usual_s = usual.deploy_s
        case Shift() | Mirror():
            usual_s = usual.shift_s
        case _:
            return 0.0
    return usual_s if usual_s >= WORTH_S else 0.0


def _usually(usual_s: float, usual: UsualSpans) -> str:
    by = f"by {counted(usual.seen, 'deploy')} before" if usual.seen else "as a rule"
    return f"about {about(usual_s)} {by}"


@dataclass(frozen=True, slots=True)
class _Line:
    verb: str
    text: str
    takes_s: float = 0.0


def _line(step: Step, compared: str, given: Given, answers: str, *, first: bool) -> _Line | None:
    match step:
        case Retire() if first:
            return None
        case Deploy(replicas=replicas, deadline_s=deadline_s):
            beside = "" if first else " beside what serves"
            return _Line("deploy", f"{counted(replicas, 'replica')}{beside}, ready within {deadline_s:g} s")
        case Smoke(checks=checks):
            return _Line("smoke", f"{checks} requests to the new slot at 0 %, within release.smoke_limits")
        case Mirror(percent=percent):
            return _Line("mirror", f"a copy of {percent:g} % of the requests, answered to nobody; {compared}")
        case Ask(question=question, beforehand=beforehand):
            by = "" if beforehand else " by both sides' figures; --confirm alone is no yes to this"
            return _Line("ask", f"{answers if beforehand else PERSON}: {question}{by}")
        case Shift(percent=percent, sticky=sticky):
            by = f"; each caller stays on a side by the {sticky.by.value} {sticky.name}" if sticky else ""
            return _Line("traffic", f"{percent:g} %{given(percent)}, proved by answers{by}")
        case Hold(seconds=seconds, gates=gates, warm_up=True):
            outage = f"{', '.join(map(gate_line, gates))} alone" if gates else "nothing"
            return _Line("warm-up", f"{span(seconds)}, while {outage} is asked", seconds)
        case Hold(seconds=seconds, gates=gates):
            asked = ", ".join(map(gate_line, gates)) or "nothing"
            return _Line("hold", f"{span(seconds)}, while {asked} is asked", seconds)
        case Load(profile=profile, gates=gates):
            users = f"{profile.users} users for {profile.duration_s or 0:g} s"
            return _Line("load", f"{users}; {', '.join(map(gate_line, gates))}", profile.duration_s or 0.0)
        case Retire(after_s=after_s):
            return _Line("retire", f"what served before goes {f'after {rough(after_s)}' if after_s else 'at once'}")
        case Work(name="alias"):
            return _Line("alias", "the registry's alias follows the traffic")
        case _:
            return None


def gate_line(gate: Gate) -> str:
    """A gate as people write it: `errors < 5 %`, `p95 : live < 25 % (dry run)`."""
    notes = "".join(f" ({note})" for note in (gate.source, "dry run" if gate.dry_run else "") if note)
    return f"{gate.name} {gate.op} {in_digits(gate.limit, 6)}{gate.unit}{notes}"
