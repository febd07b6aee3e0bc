"""A pure world around `decide`: it does each action, folds the facts, and can lose its driver at every one of them.

Its place is as real ones are: what it is asked for comes late and in parts, and its weights are a few points off
before they are right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from core.domain.model import Observation, Version
from core.domain.plan import Work
from core.domain.sample import Sample
from core.rollout import actions as d
from core.rollout.decide import decide
from core.rollout.rollback import answers, proved, versions
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.endpoint import Endpoint
from core.state.events import PendingKind
from core.state.fold import fold
from core.state.release import Release
from core.state.snapshot import Snapshot
from tests.environments import V1, begin

START_S = 1_000_000.0
CALL_S = 30.0
PART_S = 0.05


@dataclass(frozen=True)
class Held:
    """What the place has in one slot."""

    version: Version
    wanted: int
    ready: int = 0
    weight: float = 0.0
    proved_by: int = 0
    mirror: float = 0.0


@dataclass
class World:
    """Events, what they add up to, and the slots of a place that does what it is asked, in its own time.

    `beside` are the worlds of other endpoints in the same journal: what one says all know.
    """

    name: str = "late"
    beside: list["World"] = field(default_factory=list)
    now: float = START_S
    events: list[ev.Event] = field(default_factory=list)
    snapshot: Snapshot = field(default_factory=Snapshot)
    place: dict[str, Held] = field(default_factory=dict)
    coming: list[Callable[[], None]] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    applied: list[tuple[str, Version, int]] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    fail: dict[str, str] = field(default_factory=dict)
    miss: float = 0.0
    waited: list[d.Wait] = field(default_factory=list)
    acts: int = 0
    dies: tuple[int, str] = (-1, "")
    dead: bool = False

    def say(self, *bodies: ev.Body, who: str = "ada") -> None:
        """Write facts down; a driver that is gone writes nothing."""
        for body in () if self.dead else bodies:
            event = ev.Event(len(self.events) + 1, self.now, who, body)
            for world in (self, *self.beside):
                world.events.append(event)
                world.snapshot = fold(world.snapshot, event)

    def do(self, command: c.Command) -> None:
        """What an operator asks."""
        self.say(*accept(command, self.snapshot, self.now))

    @property
    def endpoint(self) -> Endpoint:
        """As it is known."""
        return self.snapshot.endpoint(self.name)

    def hold(self, slot: str, **changes: object) -> None:
        """Something happens to a slot that nobody asked for."""
        self.place[slot] = replace(self.place[slot], **changes)  # type: ignore[arg-type]

    def see(self) -> None:
        """A part of what is coming lands, and the watch tells what is true."""
        if self.coming:
            self.coming.pop(0)()
        for slot in self.endpoint.slots.keys() - self.place.keys():
            self.say(ev.Observed(self.name, Observation(slot, None, 0, 0, 0.0)))
        for slot, held in self.place.items():
            ready = 0 if f"ready {slot}" in self.deaf else held.ready
            share = {"proved_by": held.proved_by, "mirror": held.mirror}
            seen = Observation(slot, held.version, held.wanted, ready, held.weight, **share)  # type: ignore[arg-type]
            if self.endpoint.slots.get(slot) != seen:
                self.say(ev.Observed(self.name, seen))
        self._prove()

    def _prove(self) -> None:
        """Say that the weights are proved, as a driver does; it must then be so in the place itself."""
        weights = self.endpoint.weights
        said = self.endpoint.verified
        if not weights or not proved(self.release, self.endpoint, weights) or (said and said.weights == weights):
            return
        for slot, held in self.place.items():
            assert abs(held.weight - weights.get(slot, 0.0)) <= self.release.plan.tolerance, slot
        for slot in self.weights:
            assert self.place[slot].version == versions(self.release)[slot]
            assert self.place[slot].ready > 0
        self.say(ev.Verified(self.name, weights, 1.0, answers(self.endpoint, weights), "route", self.release.id))

    def tidy(self) -> None:
        """Try again what is pending and due."""
        for one in self.endpoint.pending:
            release = self.snapshot.releases.get(one.release or "")
            if self.now < one.again_at or release is None:
                continue
            if one.kind is PendingKind.REPLICAS and release.old and release.old_version:
                self._apply(release.old, release.old_version, one.replicas)
                self.say(ev.Applied(release.id, release.old))

    def measure(self, slot: str, ok: int = 100, failed: int = 0) -> None:
        """One second of answers."""
        self.say(ev.Sampled(self.name, Sample(slot, self.now, ok, {"500": failed} if failed else {})))

    @property
    def release(self) -> Release:
        """The one that goes somewhere, or went there last."""
        found = self.snapshot.release_of(self.name)
        assert found is not None
        return found

    @property
    def weights(self) -> Mapping[str, float]:
        """Who gets traffic in the place itself."""
        return {slot: held.weight for slot, held in self.place.items() if held.weight > 0}

    def next(self) -> d.Action:
        """What `decide` says now, and would say again."""
        action = decide(self.release, self.snapshot, self.now)
        assert action == decide(self.release, self.snapshot, self.now)
        return action

    def act(self, action: d.Action) -> None:
        """Do an action as a driver does, unless it dies before that, or before it is written down."""
        self.acts += 1
        number, when = self.dies
        if self.acts != number:
            self._act(action)
            return
        if when != "before it":
            self.dead = True
            self._act(action)
            if when == "after the effect":
                self.land()
            self.dead = False
        self.die()

    def land(self) -> None:
        """All that was asked for comes true."""
        while self.coming:
            self.coming.pop(0)()

    def _apply(self, slot: str, version: Version, wanted: int) -> None:
        """The old version stays ready at first; then the new one has none ready, then one, then all."""
        self.applied.append((slot, version, wanted))
        held = self.place.get(slot)
        if held is None or held.version != version:
            if held is not None:
                self.coming.append(partial(self.hold, slot, wanted=wanted))
            weight = held.weight if held else 0.0
            self.coming.append(partial(self.place.__setitem__, slot, Held(version, wanted, 0, weight)))
        else:
            self.coming.append(partial(self._change, slot, version, wanted=wanted))
        first = min(held.ready, wanted) if held is not None and held.version == version else 0
        self.coming += [partial(self._change, slot, version, ready=n) for n in range(first + 1, wanted + 1)]

    def _change(self, slot: str, version: Version, **changes: int) -> None:
        """What was asked of a slot lands where it still holds that version."""
        if slot in self.place and self.place[slot].version == version:
            self.hold(slot, **changes)

    def _route(self, weights: Mapping[str, float], mirror: Mapping[str, float]) -> None:
        """First some points off, then as it was asked for, or as near as this place comes; then the copy."""
        self.coming += [partial(self._weigh, weights, off) for off in (5.0, self.miss)]
        self.coming.append(partial(self._copy, mirror))

    def _copy(self, mirror: Mapping[str, float]) -> None:
        for slot in self.place:
            self.hold(slot, mirror=mirror.get(slot, 0.0))

    def _weigh(self, weights: Mapping[str, float], off: float) -> None:
        shares = {slot: weight for slot, weight in weights.items() if weight > 0}
        if off and shares:
            least = min(shares, key=lambda slot: shares[slot])
            other = next((slot for slot in self.place if slot != least), least)
            shares = {**shares, least: shares[least] - off}
            shares[other] = shares.get(other, 0.0) + off
        for slot in self.place:
            weight = shares.get(slot, 0.0)
            self.hold(slot, weight=weight, proved_by=20 if weight else 0)

    def _may_take(self, release: Release, weights: Mapping[str, float]) -> None:
        """Traffic only ever goes to ready slots of the version that is meant; what had it may keep its rest."""
        assert not weights or sum(weights.values()) == 100.0
        for slot, weight in weights.items():
            gains = weight > (self.place[slot].weight if slot in self.place else 0.0)
            if weight and gains and not (slot == release.old and len(weights) > 1):
                seen = self.endpoint.slots[slot]
                assert seen.version == versions(release)[slot], (slot, seen)
                assert seen.ready > 0, (slot, seen)

    def _act(self, action: d.Action) -> None:  # noqa: C901, PLR0912
        release = self.release
        match action:
            case d.StartStep(index=index):
                self.say(ev.StepStarted(release.id, index))
            case d.RunStep(index=index):
                self.say(ev.StepAsked(release.id, index))
                step = release.plan.steps[index]
                name = step.name if isinstance(step, Work) else type(step).__name__
                if name == "alias":
                    self.aliases.append("forward")
                if name in self.deaf:
                    return
                why = self.fail.get(name)
                self.say(ev.StepFailed(release.id, index, why) if why else ev.StepDone(release.id, index, name))
            case d.ChooseSlot(slot=slot, old=old, old_version=version, old_replicas=replicas):
                self.say(ev.Placed(release.id, slot, old, version, replicas))
            case d.Apply(slot=slot, version=version, replicas=replicas, waits=False):
                kind = PendingKind.REPLICAS
                self.say(ev.Pended(self.name, kind, "", self.now + CALL_S, slot, replicas, release=release.id))
                self._apply(slot, version, replicas)
                if not self.dead:
                    self.coming.append(partial(self.say, ev.Applied(release.id, slot)))
            case d.Apply(slot=slot, version=version, replicas=replicas, index=index):
                self._apply(slot, version, replicas)
                self.say(ev.Applied(release.id, slot) if index is None else ev.StepAsked(release.id, index))
            case d.Route(weights=weights, index=index, mirror=mirror):
                self._may_take(release, weights)
                assert not any(weights.get(slot) for slot in mirror)
                if "route" in self.deaf:
                    return
                if "move" not in self.deaf:
                    self._route(weights, mirror)
                self.say(ev.Routed(self.name, weights, release.id))
                if index is not None:
                    self.say(ev.StepAsked(release.id, index))
            case d.Record(facts=facts):
                self.say(*facts)
            case d.MoveAliases(back=back):
                self.aliases.append("back" if back else "forward")
                self.say(ev.Aliased(release.id, back))
            case d.RemoveSlot(slot=slot):
                self.land()
                assert self.place[slot].weight == 0
                self.place.pop(slot)
                self.say(ev.Removed(self.name, slot, release.id))
            case d.Finish(outcome=outcome, why=why):
                self.say(ev.Ended(release.id, outcome, why))
            case d.Wait():
                self.waited.append(action)
                if self.coming:
                    self.now += PART_S
                elif action.until is not None:
                    self.now = max(self.now, action.until)

    def run(self, until: Callable[[Release], bool] = lambda r: not r.live, most: int = 800) -> Release:
        """Ask and act until something is true of the release, or it waits for a person."""
        for _ in range(most):
            self.see()
            self.tidy()
            if until(self.release):
                return self.release
            action = self.next()
            coming = bool(self.coming)
            self.act(action)
            if isinstance(action, d.Wait) and action.until is None and not coming:
                return self.release
        raise AssertionError(f"no end: {self.events[-5:]}")

    def die(self) -> None:
        """The driver dies and another one drives on."""
        self.say(ev.Drove(self.name, "bob"))


def serving(version: Version = V1) -> World:
    """A world in which a version serves in blue."""
    from core.domain.strategies import all_at_once
    from tests.environments import rollout

    world = World()
    world.do(begin(version, all_at_once((), rollout())))
    world.run()
    world.land()
    world.see()
    world.now += 1000
    world.aliases.clear()
    return world
