"""A pure world around `decide`: it does each action, folds the facts, and can lose its driver at every one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.domain.model import Observation, Sample, Version
from core.domain.plan import Work
from core.rollout import actions as d
from core.rollout.decide import decide
from core.state import commands as c, events as ev
from core.state.fold import fold
from core.state.snapshot import Release, Snapshot
from tests.environments import V1, begin

START_S = 1_000_000.0


@dataclass
class World:
    """Events, what they add up to, and the slots of a place that does at once what it is asked."""

    now: float = START_S
    events: list[ev.Event] = field(default_factory=list)
    snapshot: Snapshot = field(default_factory=Snapshot)
    place: dict[str, tuple[Version, int, float]] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    fail: dict[str, str] = field(default_factory=dict)
    waited: list[d.Wait] = field(default_factory=list)
    acts: int = 0
    dies: tuple[int, str] = (-1, "")
    dead: bool = False
    under_way: Mapping[str, float] | None = None

    def say(self, *bodies: ev.Body, who: str = "ada") -> None:
        """Write facts down; the dead write nothing."""
        for body in () if self.dead else bodies:
            event = ev.Event(len(self.events) + 1, self.now, who, body)
            self.events.append(event)
            self.snapshot = fold(self.snapshot, event)

    def do(self, command: c.Command) -> None:
        """What an operator asks."""
        self.say(*c.accept(command, self.snapshot, self.now))

    def see(self) -> None:
        """The watch tells what is true."""
        known = self.snapshot.endpoints.get("late")
        for slot in set(known.slots if known else ()) - self.place.keys():
            self.say(ev.Observed("late", Observation(slot, None, 0, 0, 0.0)))
        for slot, (version, count, weight) in self.place.items():
            seen = Observation(slot, version, count, 0 if f"ready {slot}" in self.deaf else count, weight)
            if known is None or known.slots.get(slot) != seen:
                self.say(ev.Observed("late", seen))

    def measure(self, slot: str, ok: int = 100, failed: int = 0) -> None:
        """One second of answers."""
        self.say(ev.Sampled("late", Sample(slot, self.now, ok, {"500": failed} if failed else {})))

    @property
    def release(self) -> Release:
        """The one that goes somewhere, or went there last."""
        found = self.snapshot.release_of("late")
        assert found is not None
        return found

    @property
    def weights(self) -> Mapping[str, float]:
        """Who gets traffic in the place itself."""
        return {slot: weight for slot, (_, _, weight) in self.place.items() if weight > 0}

    def next(self) -> d.Action:
        """What `decide` says now."""
        return decide(self.release, self.snapshot, self.now)

    def act(self, action: d.Action) -> None:
        """Do an action as a driver does, unless it dies before that, or before it is written down."""
        self.acts += 1
        number, when = self.dies
        if self.acts != number:
            self._act(action)
            return
        if when == "while it lands" and isinstance(action, d.Route):
            self.land()
            self.under_way = action.weights
        elif when != "before it":
            self.dead = True
            self._act(action)
            self.dead = False
        self.die()

    def land(self) -> None:
        """What a dead driver asked for comes true; a place does one thing after the other."""
        weights, self.under_way = self.under_way, None
        if weights is not None:
            self.place = {slot: (v, n, weights.get(slot, 0.0)) for slot, (v, n, _) in self.place.items()}

    def _act(self, action: d.Action) -> None:  # noqa: C901, PLR0912
        release = self.release
        match action:
            case d.StartStep(index=index):
                self.say(ev.StepStarted(release.id, index))
            case d.RunStep(index=index):
                self.say(ev.StepAsked(release.id, index))
                step = release.plan.steps[index]
                name = step.name if isinstance(step, Work) else type(step).__name__
                if name == "promote":
                    self.aliases.append("forward")
                if name in self.deaf:
                    return
                why = self.fail.get(name)
                self.say(ev.StepFailed(release.id, index, why) if why else ev.StepDone(release.id, index, name))
            case d.ChooseSlot(slot=slot, old=old, old_version=version, old_replicas=replicas):
                self.say(ev.Placed(release.id, slot, old, version, replicas))
            case d.Apply(slot=slot, version=version, replicas=replicas, index=index):
                weight = self.place[slot][2] if slot in self.place else 0.0
                self.place[slot] = (version, replicas, weight)
                self.say(ev.Applied(release.id, slot) if index is None else ev.StepAsked(release.id, index))
            case d.Route(weights=weights, index=index):
                if "route" in self.deaf:
                    return
                if "move" not in self.deaf:
                    assert all(slot in self.place for slot, weight in weights.items() if weight)
                    self.land()
                    self.under_way = weights
                    self.land()
                self.say(ev.Routed("late", weights, release.id))
                if index is not None:
                    self.say(ev.StepAsked(release.id, index))
            case d.Record(facts=facts):
                self.say(*facts)
            case d.MoveAliases(back=back):
                self.aliases.append("back" if back else "forward")
                self.say(ev.Aliased(release.id, back))
            case d.RemoveSlot(slot=slot):
                self.land()
                assert self.place[slot][2] == 0
                self.place.pop(slot)
                self.say(ev.Removed("late", slot, release.id))
            case d.Finish(outcome=outcome, why=why):
                self.say(ev.Ended(release.id, outcome, why))
            case d.Wait():
                self.waited.append(action)
                if action.until is not None:
                    self.now = max(self.now, action.until)

    def run(self, until: Callable[[Release], bool] = lambda r: not r.live, most: int = 400) -> Release:
        """Ask and act until something is true of the release, or it waits for a person."""
        for _ in range(most):
            self.see()
            if until(self.release):
                return self.release
            action = self.next()
            self.act(action)
            if isinstance(action, d.Wait) and action.until is None:
                return self.release
        raise AssertionError(f"no end: {self.events[-5:]}")

    def die(self) -> None:
        """The driver dies and another takes the wheel."""
        self.say(ev.Drove("late", "bob"))


def serving(version: Version = V1) -> World:
    """A world in which a version serves in blue."""
    from core.domain.plan import all_at_once
    from tests.environments import rollout

    world = World()
    world.do(begin(version, all_at_once((), rollout())))
    world.run()
    world.now += 1000
    world.aliases.clear()
    return world
