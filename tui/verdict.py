"""The deck's second line: what happens next, in how long, by which gates, and what is armed. Pure.

Red over the whole width while those who call are not served well; never green for what is not known to be so.
"""

from core.domain.gates import GateResult
from core.domain.hints import typed
from core.domain.plan import Ask, Deploy, Hold, Load, Mirror, Shift, Step, title
from core.state.release import Release, ReleaseState, StepState
from core.state.together import waiting
from tui import format as as_text
from tui.actions import begins
from tui.ended import ended
from tui.evidence import driver, nobody_drives
from tui.failing import failing
from tui.health import health
from tui.judged import held_s, judges
from tui.offered import awaited, offered
from tui.real_weights import recent
from tui.styled import Line, Part, cut, fit, fitting, width as cells_of
from tui.summary import back_to, going_on, label, returned
from tui.verdicts import with_gates
from tui.view import View

COPIES_S = 60.0
"""How many answers to copies differ is counted over so many seconds."""
GAP: Line = (("   ", "dim"),)


def verdict(view: View, cells: int) -> Line:
    """The line in so many cells; what is bad fills all of them."""
    well = health(view)
    if well[0][1] == "fails":
        said = "".join(text for text, _ in fitting(failing(view, well), cells))
        said = cut(said, cells)
        return ((said + " " * (cells - cells_of(((said, ""),))), "alarm"),)
    if view.lost:
        return fit((("? ", "waits"), (f"what stands here is {_age(view)} old: {view.lost}", "waits")), cells)
    return fit(_calm(view, well, cells), cells)


def _age(view: View) -> str:
    return as_text.about(view.now - view.snapshot.at)


def _calm(view: View, well: Line, cells: int) -> Line:
    release = view.release
    if release is None:
        return _nothing(view)
    if release.state is ReleaseState.ENDED:
        return ended(view, release, well, cells)
    if nobody_drives(view) or view.hangs_s is not None:
        return fitting(_undriven(view, release), cells)
    # What is not known of the service stands before what is planned for it.
    unknown: Line = (*well, *GAP) if well[0][1] == "waits" else ()
    return (*unknown, *_going(view, release, cells - cells_of(unknown), sure=not unknown))


def _nothing(view: View) -> Line:
    served = view.endpoint.served if view.endpoint else None
    if served is not None:
        return (("◦ ", "dim"), (f"{served.label} serves", "text"), ("   no release is under way", "dim"))
    how: Line = (("   begin with 'quarterdeck release'", "dim"),)
    if begins(view):
        how = (("   n", "key"), (" begins a release, after showing its plan", "dim"))
    return (("◦ ", "dim"), ("nothing is released yet", "text"), *how)


def _undriven(view: View, release: Release) -> list[Part]:
    if view.hangs_s is not None:
        who: Line = (("! ", "fails"), (f"{driver(view)} hangs for {as_text.about(view.hangs_s)}", "fails"))
    else:
        who = (("‖ ", "moves"), (f"nobody drives {label(release)}", "moves"))
    stays = f"it stays at {release.reached:g} %" if release.reached else "it stays where it is"
    return [
        (0, who),
        (0, ((f"   {stays}, no gate is judged", "waits"),)),
        (1, ((f"   {typed('release', release.environment)} goes on", "dim"),)),
    ]


def _going(view: View, release: Release, cells: int, sure: bool) -> Line:
    """What a release does now, what is next, and what is armed."""
    step = release.current
    if release.state is ReleaseState.BACK:
        return fitting(_going_back(view, release), cells)
    if release.state is ReleaseState.FORWARD:
        return (("▶ ", "moves"), (f"returning to {label(release)}", "moves"), *_keys(view, ("R", " goes back again")))
    if step is None:
        return (("▶ ", "moves"), ("to its end", "moves"))
    armed = _armed(release)
    if step.question is not None and step.answer is None:
        return _question(view, step, armed, cells)
    if release.paused:
        since = f" {as_text.span(view.now - view.paused_at)}" if view.paused_at is not None else ""
        head: Line = (("‖ ", "moves"), (f"PAUSED{since}", "moves"), *_keys(view, ("p", " goes on")))
        return with_gates(view, head, armed if judges(release) else (), cells, sure)
    if release.awaits_next:
        then: Line = ((f"   then {_named(step.step)}", "dim"),)
        return (("‖ ", "moves"), (_waits(view, "n"), "moves"), *then)
    if other := waiting(release, view.snapshot):
        took = as_text.span(view.now - step.reached_at) if step.reached_at is not None else ""
        head = (("‖ ", "moves"), (f"WAITS for {other} {took}", "moves"))
        return (
            with_gates(view, head, armed, cells, sure) if judges(release) else fitting([(0, head), (1, armed)], cells)
        )
    if isinstance(step.step, Hold):
        return with_gates(view, _held(view, release, step, step.step), armed, cells, sure)
    return fitting(_stage(view, release, step), cells)


def _going_back(view: View, release: Release) -> list[Part]:
    way = release.way
    if returned(release, view.endpoint):
        return [(0, (("◀ ", "back"), (f"back on {back_to(release)}", "strong"))), (1, (("   tidying up", "dim"),))]
    head: Line = (("◀ ", "fails"), (f"GOING BACK to {back_to(release)}", "fails"))
    parts: list[Part] = [(0, head)]
    if way is not None and way.shares:
        steps = " → ".join(f"{share:g}" for share in way.shares)
        rest = f", next in {as_text.span(way.rests_until - view.now)}" if way.rests_until is not None else ""
        parts.append((0, ((f"   in steps: {steps} %{rest}", "text"), *_keys(view, ("R", " at once")))))
    if way is not None:
        parts.append((1, ((f"   for {as_text.about(view.now - way.began_at)}", "dim"),)))
        if not way.refusal:
            # A refusal names what holds it; else the way back may stand behind what was asked for before it.
            parts += [(1 + rank, (("   " if rank == 1 else "", "dim"), *line)) for rank, line in going_on(view)]
        parts.append((2 if way.refusal else 4, ((f"   {way.refusal or way.why}", "dim"),)))
    return parts


def _question(view: View, step: StepState, armed: Line, cells: int) -> Line:
    asked = step.question
    if asked is None:
        return ()
    head: Line = (("? ", "moves"), (f"{_waits(view, 'YOU')} {as_text.span(asked.until - view.now)}   ", "moves"))
    end: Line = _keys(view, ("n", " yes"), ("A", " no"))
    end = (*end, *armed) if isinstance(step.step, Hold) and cells >= 100 else end
    room = cells - cells_of(head) - cells_of(end)
    return (*head, (cut(asked.question, max(8, room)), "text"), *end)


def _keys(view: View, *keys: tuple[str, str]) -> Line:
    """Keys and what they do; none where nothing is asked for from here."""
    return offered(view, *((f"   {key}", words) for key, words in keys))


def _waits(view: View, own: str) -> str:
    return f"WAITS FOR {awaited(view, own, 'A PERSON')}"


def _armed(release: Release) -> Line:
    if release.old_version is None:
        return (*GAP, ("else it is given up", "dim"))
    return (*GAP, ("else back to ", "dim"), (back_to(release), "strong"))


def _held(view: View, release: Release, step: StepState, hold: Hold) -> Line:
    """When a hold lets the release go on, and to what; or what it waits for after its time."""
    gone = held_s(view) or 0.0
    ahead = next((s.step for s in release.steps[release.index + 1 :] if isinstance(s.step, Shift | Ask)), None)
    to: Line = ((goes_on_to(ahead, awaited(view)), "dim"),)
    copies = _copies(view, release)
    if hold.warm_up:
        warms = f"WARMING UP {as_text.span(max(0.0, hold.seconds - gone))}"
        return ((warms, "moves"), ("   for an outage alone it goes back", "dim"), *copies)
    if gone < hold.seconds:
        word = f"{_waits(view, 'n')} IN" if release.step_by_step else "GO ON IN"
        return ((f"{word} {as_text.span(hold.seconds - gone)}", "moves"), *to, *copies)
    asks = f"   a person is asked in {as_text.span(hold.seconds + hold.patience_s - gone)}"
    waits = any(v.outcome is not GateResult.PASS for v in step.verdicts if not v.gate.dry_run)
    seen = view.endpoint.slots.get(release.slot or "") if view.endpoint else None
    if waits:
        return (("WAITS FOR ITS GATES", "waits"), (asks, "dim"), *copies)
    if seen is not None and seen.ready < seen.due:
        scales = f"WAITS: {seen.slot} scales, {seen.ready} of {seen.due} ready"
        return ((scales, "waits"), (asks, "dim"), *copies)
    return (("GOES ON", "moves"), *to, *copies)


def goes_on_to(ahead: Shift | Ask | None, who: str = "you") -> str:
    """What a hold lets the release go on to."""
    if isinstance(ahead, Ask):
        return f" to a question for {who}"
    return f" to {ahead.percent:g} %" if ahead is not None else " to its end"


def _copies(view: View, release: Release) -> Line:
    """What is said of a slot that only gets copies: how many, and how many answers differ."""
    seen = view.endpoint.slots.get(release.slot or "") if view.endpoint else None
    if seen is None or not seen.mirror:
        return ()
    total = recent(view.series(seen.slot), view.now - COPIES_S)
    compared = total.compared if total is not None else 0
    share = as_text.percent(100 * total.differing / compared) if total is not None and compared else "none compared yet"
    differ = f"{share} differ" if compared else share
    return ((f"   copy of {seen.mirror:g} %, {differ}", "text"),)


def _stage(view: View, release: Release, step: StepState) -> list[Part]:
    """A stage that runs, what it says of itself, and what is next."""
    gone = view.now - step.started_at if step.started_at is not None else 0.0
    after = next((s.step for s in release.steps[release.index + 1 :]), None)
    then: Line = ((f"   then {_named(after)}", "dim"),) if after is not None else ()
    head: Line = (("▶ ", "moves"), (f"{title(step.step).upper()} {as_text.span(gone)}", "moves"))
    said = step.text or step.figure
    armed = _armed(release) if release.touched else (*GAP, ("no traffic has moved", "dim"))
    match step.step:
        case Shift(percent=percent, deadline_s=deadline):
            head = (("▶ ", "moves"), (f"TRAFFIC to {percent:g} %", "moves"))
            said = f"until answers prove it, {as_text.span(deadline - gone)} left"
        case Mirror(percent=percent):
            head = (("▶ ", "moves"), (f"COPY of {percent:g} % of the requests", "moves"))
        case Deploy(deadline_s=deadline):
            seen = view.endpoint.slots.get(release.slot or "") if view.endpoint else None
            ready = f"{seen.ready} of {seen.due} ready, " if seen is not None else ""
            said = f"{ready}{as_text.span(deadline - gone)} left"
        case Load(profile=profile) if profile.duration_s is not None:
            said = f"{profile.users} users, {as_text.span(profile.duration_s - gone)} left"
        case _:
            pass
    told: Line = ((f"   {step.refusal or said}", "waits" if step.refusal else "text"),) if step.refusal or said else ()
    return [(0, head), (1, told), (2, then), (3, armed)]


def _named(step: Step) -> str:
    return f"traffic {step.percent:g} %" if isinstance(step, Shift) else title(step)
