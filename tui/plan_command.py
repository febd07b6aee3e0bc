"""`quarterdeck plan`: what a release would do, step by step, with times, gates and the way back. It changes nothing."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from core.config.config import endpoint_name
from core.config.measurable import hardly_measured
from core.config.planner import Wishes, as_one, asks, asks_by_hand, release_of
from core.config.settings import Settings
from core.domain.errors import BadInput, QuarterdeckError
from core.domain.hints import typed
from core.domain.plan import Hold, Load, Mirror, Plan, Shift
from core.engine.as_it_stands import as_it_stands, deploys
from core.engine.known_figures import by_known_figures
from core.engine.project import Project
from core.state.commands import Begin
from core.state.confirmation import begins
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.state.usual_spans import usual_spans
from core.system.text import counted
from tui.foreseen import foreseen, refused_there
from tui.plan_steps import PERSON, told
from tui.real_weights import users_a_s

NOTHING_UNKNOWN: Mapping[str, str] = {}
CI = "the yaml's 'approve: ci'"
FAILS = "would fail as it is now: "


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
