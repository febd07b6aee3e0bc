"""Which gates of a plan nobody can measure, or hardly. Pure.

No data is never a pass: a release that holds with such a gate waits for a person in the end, and fails where none is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.config.settings import Settings
from core.domain.gates import DIFFERING, LIVE, RESTARTS, Gate
from core.domain.plan import FULL, Ask, Hold, Mirror, Plan, Shift, Step
from core.system.text import counted, rough

USER_A_S = 5.0
"""So many requests a second a background user makes at the most: it thinks for 0.1 to 0.3 s after each."""


@dataclass(frozen=True, slots=True)
class _Stay:
    """A hold and who gets requests in it: the percents of the new slot, copied or not."""

    hold: Hold
    percent: float
    copied: bool


def as_measured(plan: Plan, settings: Settings) -> Plan:
    """The plan, its gates on answers to copies asked while requests are copied, and at no other time.

    Where nobody knows those answers, a plan that was written by hand copies and judges nothing meanwhile.
    """
    blind = bool(settings.place.uncounted and settings.release.plan)
    copied, steps = False, list[Step]()
    for step in plan.steps:
        match step:
            case Mirror():
                copied = True
                steps.append(step)
            case Shift():
                copied = False
                steps.append(step)
            case Hold() | Ask() if not copied:
                steps.append(replace(step, gates=_without_pairs(step.gates)))
            case Hold() | Ask() if blind:
                steps.append(replace(step, gates=()))
            case _:
                steps.append(step)
    return replace(plan, steps=tuple(steps))


def _without_pairs(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    return tuple(gate for gate in gates if gate.metric != DIFFERING or gate.source)


def never_measured(plan: Plan, settings: Settings) -> Iterator[str]:
    """Why a release by this plan can only wait and fail, a line for each gate that ends or holds it."""
    stays, place = list(_stays(plan)), settings.place
    asked = {gate for stay in stays for gate in stay.hold.gates if not gate.source}
    for stay in stays:
        if stay.copied and place.uncounted and any(not gate.dry_run for gate in stay.hold.gates):
            yield (
                f"release: {place.uncounted}: no gate can judge a copy there; take another strategy, or write "
                "'mirror 20' and a hold into release.plan, which copies and judges nothing meanwhile"
            )
            break
    for gate in sorted(asked, key=lambda one: one.name):
        if gate.dry_run:
            continue
        if why := place.unmeasured(gate.metric):
            yield f"release.gates: {gate.metric}: {why}"
        elif gate.metric == DIFFERING and gate.against:
            yield f"release.gates: {gate.metric} is of the new slot alone; take 'against: {gate.against}' out"
    wanted = {one.gate() for one in settings.release.all_gates if one.source is None}
    if stays and any(gate.metric == DIFFERING and not gate.dry_run for gate in wanted - asked):
        yield (
            f"release.gates: {DIFFERING}: this plan copies no request, so that it is never measured; "
            "use strategy shadow, or write 'mirror 20' and a hold into release.plan before its first shift"
        )


def hardly_measured(plan: Plan, settings: Settings, users_a_s: float = 0.0) -> Iterator[str]:
    """Gates that want more requests than come in their time, a line for all that want and get the same. `users_a_s`:
    so many requests a second users make now; where nobody knows of any, and no background load runs, nothing is said.
    """
    background = settings.release.background.users
    most_a_s, found, told = background * USER_A_S + users_a_s, dict[tuple[int, float, float], list[str]](), set[Gate]()
    for stay in _stays(plan) if most_a_s else ():
        for gate in stay.hold.gates:
            seconds, share = gate.window_s or stay.hold.seconds + stay.hold.patience_s, _least(gate, stay)
            counts = not (gate.source or gate.dry_run or gate.metric == RESTARTS or gate in told)
            if counts and gate.at_least > most_a_s * seconds * share / 100:
                told.add(gate)
                found.setdefault((gate.at_least, seconds, share), []).append(gate.name)
    comes = [counted(background, "background user")] if background else []
    comes += [f"users' own {users_a_s:.2g} requests a second"] if users_a_s else []
    for (wanted, seconds, share), names in found.items():
        verb, word = ("want", "their") if len(names) > 1 else ("wants", "its")
        most = most_a_s * seconds * share / 100
        yield (
            f"release.gates: {', '.join(names)} {verb} {wanted:,} requests: of {' and '.join(comes)} {most:,.0f} at "
            f"the most come to {share:g} % in {rough(seconds)}; lower {word} at_least, hold for longer, or raise "
            "release.background.users"
        )


def _stays(plan: Plan) -> Iterator[_Stay]:
    percent, copied = 0.0, False
    for step in plan.steps:
        match step:
            case Mirror(percent=percent):
                copied = True
            case Shift(percent=percent):
                copied = False
            case Hold(warm_up=False):
                yield _Stay(step, percent, copied)
            case _:
                pass


def _least(gate: Gate, stay: _Stay) -> float:
    """The percents of the requests that the slot gets which gets fewer of those that a gate looks at."""
    if gate.against != LIVE or stay.copied or stay.percent >= FULL:
        return stay.percent
    return min(stay.percent, FULL - stay.percent)
