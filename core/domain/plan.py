"""The steps of a release. A plan is data: `core.domain.strategies` writes it, `decide` walks it."""

from dataclasses import dataclass
from typing import TypeAlias

from core.domain.gates import Gate
from core.domain.load_profile import LoadProfile
from core.domain.model import Slot, Sticky
from core.domain.sources import MetricSource


@dataclass(frozen=True, slots=True)
class Work:
    """Something that computes: data, preprocess, train, evaluate, gate, register, check, fetch, alias."""

    name: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """The new version in the slot that is not live, until all replicas are ready."""

    replicas: int
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Smoke:
    """Requests to the new slot while it takes no traffic; their answers and times must be within the limits set."""

    checks: int


@dataclass(frozen=True, slots=True)
class Shift:
    """This share of the traffic, in percent, to the new slot, until it is proved; `sticky`: by who calls."""

    percent: float
    deadline_s: float = 30.0
    sticky: Sticky | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of this share of the requests, in percent, to the new slot, which has no traffic; until it is in force.

    Whoever sent a request gets the answer of what serves; the copy's is only compared with it. The next shift ends it.
    """

    percent: float
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay here while gates watch; after `patience_s` more without enough data a person is asked.

    With `warm_up` the slot has just come up: what is measured now is judged for an outage alone, and counts no longer.
    """

    seconds: float
    gates: tuple[Gate, ...]
    patience_s: float = 30.0
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Go on when a person says so. Where traffic has moved already, gates go on watching it meanwhile.

    `beforehand`: a yes to the release that was given before it began answers this too.
    """

    question: str
    gates: tuple[Gate, ...] = ()
    beforehand: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """A load test of the endpoint, judged by its limits when it is over."""

    profile: LoadProfile
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Retire:
    """The slot that was live goes, `after_s` seconds from now."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Summarise:
    """Write the run folder."""


Step: TypeAlias = Work | Deploy | Smoke | Shift | Mirror | Hold | Ask | Load | Retire | Summarise

ALIASES = frozenset({"alias", "promote"})
"""What the step is called that lets the registry's aliases follow the traffic; the second in older journals."""
IMAGE = "image"
"""The step that packs the version for a place that takes it from a registry of images."""
MODEL_WORK = ("data", "preprocess", "train", "evaluate", "gate", "register", "check")
"""What makes a version out of data, in this order."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a place may take, in seconds, before a release that waits for it fails, or its way back is stuck.

    `deploy_s` beyond the time that one replica has to become ready; `shift_s` until a share is proved; `back_s` until
    what served before is ready and the way back proved, `step_s` until one step of it is; `size_s` for the replicas
    that it needs, where the new version answers well meanwhile; `call_s` until the place answers a call.
    """

    deploy_s: float = 10.0
    shift_s: float = 30.0
    back_s: float = 120.0
    step_s: float = 30.0
    size_s: float = 10.0
    call_s: float = 30.0


@dataclass(frozen=True, slots=True)
class UsualSpans:
    """How long a place takes as a rule, in seconds: until a new version is ready, until a share is proved.

    0 where that is over at once. `seen`: how many earlier deploys say so; without any the place says it of itself.
    """

    deploy_s: float = 0.0
    shift_s: float = 0.0
    seen: int = 0


SLOTS: tuple[Slot, ...] = ("blue", "green")
FULL = 100.0
"""The percents of all traffic."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a release does, in order. `tolerance` is by how many percent points a target may miss a share.

    `patience` and `slots`, which take turns, are the place's. `false_stop` is the chance, 0 to 1, with which
    comparisons with the live slot may stop a release that is no worse; `burst_s` how long one trouble of one slot may
    be that stops nothing. `sources` are asked for what gates judge that is measured elsewhere, under the names of their
    metrics. `first`: it was made where nothing was known to serve.
    """

    strategy: str
    steps: tuple[Step, ...]
    tolerance: float = 0.01
    false_stop: float = 0.01
    burst_s: float = 20.0
    patience: Patience = Patience()
    slots: tuple[Slot, ...] = SLOTS
    sources: tuple[MetricSource, ...] = ()
    first: bool = False

    @property
    def reads_rows(self) -> bool:
        """Whether rows are read in it, for a version to be trained or judged by."""
        return Work("data") in self.steps

    def share(self, at: int) -> float:
        """The percents of the traffic that the new slot has at a step."""
        return next((step.percent for step in reversed(self.steps[:at]) if isinstance(step, Shift)), 0.0)


def title(step: Step) -> str:
    """What a step is called in a list of stages."""
    match step:
        case Work(name):
            return name
        case Shift():
            return "traffic"
        case Load():
            return "load test"
        case Hold(warm_up=True):
            return "warm-up"
        case _:
            return type(step).__name__.lower()


def moves_aliases(step: Step) -> bool:
    """Whether it is the step after which the registry calls the new version the one that serves."""
    return isinstance(step, Work) and step.name in ALIASES
