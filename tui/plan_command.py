"""`quarterdeck plan`: what a release would do, step by step, with times, gates and the way back. It changes nothing."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from core.config.config import endpoint_name
from core.config.measurable import hardly_measured
from core.config.planner import Wishes, as_one, asks, asks_by_hand, release_of
from core.config.settings import Settings
from core.domain.errors import BadInput, QuarterdeckError
from core.domain.gates import DIFFERING, Gate
from core.domain.hints import typed
from core.domain.plan import Ask, Deploy, Hold, Load, Mirror, Plan, Retire, Shift, Smoke, Step, UsualSpans, Work
from core.engine.as_it_stands import as_it_stands, deploys
from core.engine.known_figures import by_known_figures
from core.engine.project import Project
from core.state.commands import Begin
from core.state.confirmation import begins
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.state.usual_spans import usual_spans
from core.system.text import counted, rough, span
from tui.foreseen import foreseen, refused_there
from tui.format import about
from tui.real_weights import users_a_s

WIDTH = 10
Given: TypeAlias = Callable[[float], str]
NOTHING_UNKNOWN: Mapping[str, str] = {}
AT_ONCE = UsualSpans()
PERSON, CI = "a person", "the yaml's 'approve: ci'"
FAILS = "would fail as it is now: "
WORTH_S = 10.0
"""What takes less is done at once, as far as a plan tells."""


async def plan(project: Project, wishes: Wishes, write: Callable[[str], None]) -> int:
    """Say what the next release would do. The exit code: 1 where it would fail as it is now."""
    lines = await lines_of(project, wishes)
    for line in lines:
        write(line)
    return int(any(line.startswith(FAILS) for line in lines))


async def lines_of(project: Project, wishes: Wishes) -> list[str]:
    """The plan of the next release in this environment, as lines."""
    with contextlib.closing(project.journal()) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
    stands = await as_it_stands([one for one in project.together if deploys(one, wishes)], snapshot)
    begin, lines = planned_together(project, stands.snapshot, wishes, stands.unknown)
    members = zip(project.together, (begin, *begin.others), strict=True)
    whys = [why for one, its in members for why in foreseen(one.settings, os.environ, its.plan.reads_rows)]
    refused = [f"{name}: {why}" for name, why in stands.refuses.items()]
    if not (whys or refused):
        refused = [why for one in project.together for why in await _refused(one, stands.snapshot, wishes)]
    whys = [*refused, *whys]
    return [*lines, *([""] if whys else []), *(f"{FAILS}{why}" for why in dict.fromkeys(whys))]


async def _refused(project: Project, snapshot: Snapshot, wishes: Wishes) -> Sequence[str]:
    """Why its place would refuse the next release; a place that does not answer too."""
    begin, _ = planned(project.settings, snapshot, by_known_figures(project, snapshot, wishes))
    try:
        return await refused_there(project.settings, begin.plan)
    except QuarterdeckError as error:
        return (str(error),)


def planned_together(
    project: Project, snapshot: Snapshot, wishes: Wishes, unknown: Mapping[str, str] = NOTHING_UNKNOWN
) -> tuple[Begin, list[str]]:
    """The next release, or those that go as one, and the plan of each as lines."""
    members = [
        planned(one.settings, snapshot, by_known_figures(one, snapshot, wishes), unknown) for one in project.together
    ]
    begins = [begin for begin, _ in members]
    if len(members) == 1:
        return members[0]
    names = ", ".join(begin.endpoint for begin in begins)
    head = [f"together: {names}", "no share begins before all could; one that goes back takes all back"]
    lines = [line for _, plan in members for line in ("", *plan)]
    return as_one(begins), [*head, *lines]


def planned(
    settings: Settings, snapshot: Snapshot, wishes: Wishes, unknown: Mapping[str, str] = NOTHING_UNKNOWN
) -> tuple[Begin, list[str]]:
    """The next release, and its plan as lines; `unknown` is why a place could not be asked, by its endpoint."""
    name = endpoint_name(settings)
    live, why = snapshot.endpoint(name).served, unknown.get(name, "")
    first = live is None and not why
    begin = release_of(settings, first, wishes)
    over = f"over {live.label}, which serves" if live else "nothing serves yet, so that it takes all traffic at once"
    if why:
        over = f"over {live.label}, which served when last seen" if live else "over what serves there"
    production = " · production" if settings.production else ""
    head = f"{name} · {settings.environment}{production} · {begin.plan.strategy} · {over}"
    later = [f"not known: what serves there now: {why}"] if why else []
    if first:
        later = [f"the next one: {_next(settings, wishes)}"]
    return begin, [
        head,
        "",
        *told(
            begin.plan,
            partial(settings.place.given, endpoint=settings.endpoint),
            usual_spans(snapshot, name, settings.where, settings.place.usual_spans),
            f"answered by {CI}" if begin.auto_approve and settings.approve == "ci" else PERSON,
        ),
        "",
        *_unwatched(begin.plan),
        *_uncounted(begin.plan, settings.place.uncounted),
        *hardly_measured(begin.plan, settings, users_a_s(snapshot, name)),
        *_consent(settings),
        f"goes back to: {'what serves there' if why and live is None else _home(snapshot, name, settings)}",
        *later,
    ]


def _next(settings: Settings, wishes: Wishes) -> str:
    """What a release over the first version does, or why there can't be one."""
    try:
        return begins(release_of(settings, False, wishes).plan)
    except BadInput as error:
        return f"would be refused: {error}"


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
    return f"{gate.name} {gate.op} {gate.limit:g}{gate.unit}{notes}"


def _unwatched(plan: Plan) -> Iterator[str]:
    """That gates of the file, which a person may count on, are asked nowhere in this plan."""
    kinds = {type(step) for step in plan.steps}
    if Shift in kinds and Hold not in kinds:
        rest = "the load test and the alert rules look" if Load in kinds else "the alert rules alone look"
        yield f"no gate is asked: {plan.strategy} holds nowhere; {rest}"


def _uncounted(plan: Plan, why: str) -> Iterator[str]:
    """That copies tell nothing at this place, for whoever writes them into a plan to be judged."""
    if why and any(isinstance(step, Mirror) for step in plan.steps):
        yield f"a copy is judged by nothing: {why}; look at the slot itself: its replicas, its log, its cpu"


def _consent(settings: Settings) -> Iterator[str]:
    if asks(settings) or asks_by_hand(settings):
        by = CI if settings.approve == "ci" else f"{PERSON}, or --confirm by name"
        yield f"approved by: {by}"


def _home(snapshot: Snapshot, name: str, settings: Settings) -> str:
    endpoint = snapshot.endpoint(name)
    seen = endpoint.slots.get(endpoint.serving or "")
    if seen is None or seen.version is None:
        return (
            f"nothing; a first version that fails leaves no traffic, and {typed('down', settings.environment)} stops it"
        )
    label = seen.version.label if seen.version.model == settings.model else seen.version.full
    if seen.due == 0:
        scale = typed("scale N", settings.environment)
        return f"{label} in {seen.slot}, which has no replica and answers nobody; {scale} comes first"
    return f"{label} in {seen.slot}, {seen.ready} of {counted(seen.due, 'replica')} ready"
