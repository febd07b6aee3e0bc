"""Every key there is. This one table makes the bindings, the footer, the help and the palette of commands."""

from collections.abc import Callable
from dataclasses import dataclass

from core.domain.errors import Refused
from core.domain.load_profile import LoadProfile
from core.domain.plan import Hold
from core.state import commands
from core.state.acceptance import accept
from core.state.astray import followed, unknown_version
from core.state.confirmation import confirmation
from core.state.endpoint import Endpoint
from core.state.events import Outcome
from core.state.release import Release, ReleaseState, Status
from core.state.reversal import UNDO_S, in_steps, refused_rollback, refused_undo, rollback_of
from tui import format as as_text
from tui.evidence import nobody_drives, silent_s
from tui.summary import back_to, label
from tui.view import View

MANUAL = LoadProfile("manual", 10, 5.0, None)
"""What `w` begins where no load runs: small, until it is stopped."""
Asks = Callable[[View, float], commands.Command]


@dataclass(frozen=True, slots=True)
class Action:
    """A key and what it does.

    `asks` makes the command of one that asks the link for something; the others are the screen's own. `foot` is
    its word in the footer, given what would come of it now; None keeps it out of there.
    """

    name: str
    keys: tuple[str, ...]
    words: str
    group: str
    asks: Asks | None = None
    foot: Callable[[View], str | None] | None = None
    shown: str = ""
    foot_key: str = ""

    @property
    def key(self) -> str:
        """As help and footer write it."""
        return self.shown or " ".join(self.keys)


def refused(action: Action, view: View) -> str | None:
    """Why an action would do nothing now; None when it would do something."""
    if action.asks is None:
        return None
    if view.read_only:
        return view.watches
    if action.name == "next" and begins(view):
        return None
    if view.name is None:
        return "nothing to act on yet; begin with 'quarterdeck release'"
    try:
        accept(action.asks(view, view.now), view.snapshot, view.now)
    except Refused as no:
        return str(no)
    return None


def begins(view: View) -> bool:
    """Whether `n` begins a release: none is under way, and none is there to be tried again."""
    release = view.release
    if not view.begins or view.read_only:
        return False
    return release is None or release.outcome in (Outcome.DONE, Outcome.ROLLED_BACK)


def _users(change: int) -> Asks:
    def asks(view: View, _: float) -> commands.Command:
        load = view.endpoint.load if view.endpoint else None
        if change > 0 and (load is None or not load.running):
            return commands.StartLoad(view.name or "", MANUAL)
        return commands.SetLoad(view.name or "", change=change)

    return asks


def _load_pause(view: View, _: float) -> commands.Command:
    load = view.endpoint.load if view.endpoint else None
    return commands.SetLoad(view.name or "", paused=not (load is not None and load.paused))


def _rate(change: int) -> Asks:
    def asks(view: View, _: float) -> commands.Command:
        load = view.endpoint.load if view.endpoint else None
        return commands.SetLoad(view.name or "", spawn_rate=max(1.0, (load.spawn_rate if load else 1.0) + change))

    return asks


def _mode(view: View, _: float) -> commands.Command:
    return commands.Pause(view.name or "", step_by_step=not (view.release is not None and view.release.step_by_step))


def _next(view: View) -> str | None:
    release = view.release
    if begins(view):
        return "release"
    if release is None:
        return None
    step = release.current
    if release.state is ReleaseState.ENDED:
        return "try again"
    if step is not None and step.question is not None and step.answer is None:
        return "yes"
    if release.paused:
        return "resume"
    if step is not None and step.status is Status.RUNNING and isinstance(step.step, Hold):
        return "go on"
    return "next"


def _pause(view: View) -> str | None:
    return "resume" if view.release is not None and view.release.paused else "pause"


def _load(view: View) -> str | None:
    load = view.endpoint.load if view.endpoint else None
    return "users" if load is not None and load.running else "send load"


def _logs(view: View) -> str | None:
    return "logs" if view.release is not None or (view.endpoint and view.endpoint.slots) else None


ACTIONS = (
    Action("next", ("n",), "next: release, start a stage, end a hold, say yes, retry", "release",
           lambda view, _: commands.Next(view.name or ""), _next),
    Action("pause", ("p",), "pause the release, or resume it", "release",
           lambda view, _: commands.Pause(view.name or ""), _pause),
    Action("mode", ("M",), "step by step, or by itself", "release", _mode),
    Action("abort", ("A",), "abort: give the release up, all traffic returns", "release",
           lambda view, at: commands.Abort(view.name or "", at), lambda _: "abort"),
    Action("rollback", ("R",), "back now to the version before; asks only where none was", "release",
           lambda view, at: commands.Rollback(view.name or "", at)),
    Action("undo", ("u",), "undo the rollback, within a minute", "release",
           lambda view, at: commands.Undo(view.name or "", at)),
    Action("replicas", ("N",), "so many replicas: asks how many", "release"),
    Action("more", ("w",), "one user more; begins a small load where none runs", "load", _users(1), _load,
           foot_key="w/s"),
    Action("less", ("s",), "one user less", "load", _users(-1)),
    Action("many", ("W",), "ten users more", "load", _users(10)),
    Action("fewer", ("S",), "ten users less", "load", _users(-10)),
    Action("load_pause", ("P",), "pause the load, or resume it", "load", _load_pause),
    Action("load_stop", ("X",), "stop the load", "load",
           lambda view, _: commands.SetLoad(view.name or "", stop=True)),
    Action("load_reset", ("Z",), "count the load anew", "load",
           lambda view, _: commands.SetLoad(view.name or "", reset=True)),
    Action("faster", ("plus",), "one user a second more, when users are added", "load", _rate(1), shown="+"),
    Action("slower", ("minus",), "one user a second less", "load", _rate(-1), shown="-"),
    Action("logs", ("l",), "the log of the stage or replica under the cursor", "look", foot=_logs),
    Action("maximise", ("m",), "maximise the pane, or make it small again", "look", foot=lambda _: "maximise"),
    Action("why", ("y",), "why: explain the last decision of the pane", "look", foot=lambda _: "why"),
    Action("filter", ("slash",), "filter the log", "look", shown="/", foot=lambda _: "filter"),
    Action("chart", ("v",), "the other chart of the load, where there is room for one", "look"),
    Action("compare", ("c",), "the slots of a release side by side, or their sum", "look"),
    Action("stretch", ("T",), "the time that charts show: what there is, 15 or 60 min", "look"),
    Action("environments", ("E",), "the environments side by side", "look"),
    Action("releases", ("e",), "all releases; each opens as it happened", "look"),
    Action("endpoint_before", ("left_square_bracket",), "the endpoint before", "look", shown="["),
    Action("endpoint_after", ("right_square_bracket",), "the next endpoint", "look", shown="]"),
    *(
        Action(f"pane_{number}", (str(number),), f"{name}; again, or in little room: open it", "panes")
        for number, name in enumerate(("stages", "load", "scaling", "endpoint", "gates", "log"), 1)
    ),
    Action("palette", ("colon", "ctrl+p"), "find a command by its name", "deck", shown=": ctrl+p"),
    Action("help", ("question_mark",), "all keys", "deck", shown="?", foot=lambda _: "keys"),
    Action("leave", ("q",), "leave; traffic flows on", "deck", foot=lambda _: "leave, traffic flows on"),
)  # fmt: skip
BY_NAME = {action.name: action for action in ACTIONS}
GROUPS = {
    "release": "The release",
    "load": "The load",
    "look": "Looking closer",
    "panes": "Panes",
    "deck": "The deck",
}


@dataclass(frozen=True, slots=True)
class WayBack:
    """What stands at the right end of the footer. `key` empty: there is no way now."""

    key: str
    text: str


def way_back(view: View) -> WayBack:
    """What `R` would do now, or else `u`, or why neither does anything."""
    endpoint, release = view.endpoint, view.release
    if view.read_only:
        return WayBack("", "watching only")
    undo = refused_undo(endpoint, release, view.now)
    if undo is None and release is not None and release.ended_at is not None:
        left = UNDO_S - (view.now - release.ended_at)
        return WayBack("u", f"undo → {label(release)} · {as_text.span(left)} left")
    if release is not None and release.state is ReleaseState.BACK and nobody_drives(view):
        return WayBack("R", f"goes on with the way back → {back_to(release)}")
    if release is not None and in_steps(release):
        return WayBack("R", f"all at once → {back_to(release)}")
    if release is not None and release.state is ReleaseState.BACK:
        return WayBack("", f"on its way back → {back_to(release)}")
    # After a release that failed by itself, R takes back the one that serves since before it.
    release = rollback_of(view.snapshot, view.name) if view.name else None
    if release is not None and (serves := _others_version(endpoint, release)):
        return WayBack("", serves)
    why_not = refused_rollback(endpoint, release)
    if why_not is not None or release is None or endpoint is None:
        back = release is not None and release.outcome in (Outcome.ROLLED_BACK, Outcome.ABORTED, Outcome.FAILED)
        if back and release is not None and release.old is not None and endpoint is not None and endpoint.serving:
            return WayBack("", f"{back_to(release)} serves")
        return WayBack("", "no way back: nothing before it" if release is not None else "no way back yet")
    if release.slot is None:
        return WayBack("R", "end it · no traffic has moved")
    if release.old is None:
        # Nothing takes over: where traffic has come that is no way back but an outage, and it is called one.
        down = confirmation(commands.Rollback(endpoint.name), view.snapshot, view.now)
        return WayBack("R", f"takes {endpoint.name} DOWN" if down else "end it · nothing served before")
    seen = endpoint.slots.get(release.old)
    if seen is None or seen.due == 0:
        return WayBack("R", f"roll back → {back_to(release)} · starts again first")
    known = "ready" if silent_s(view) is None else "when last heard of"
    return WayBack("R", f"roll back → {back_to(release)} · {seen.ready}/{seen.due} {known}")


def _others_version(endpoint: Endpoint | None, release: Release) -> str:
    """What serves by another machine's doing, where that leaves nothing to take back; else empty."""
    if endpoint is None or release.live:
        return ""
    if followed(endpoint, release) and endpoint.served == release.old_version is not None:
        return f"{back_to(release)} serves"
    unknown = unknown_version(endpoint, release)
    label = unknown.version.label if unknown is not None and unknown.version is not None else ""
    return f"{label} serves, released elsewhere" if label else ""
