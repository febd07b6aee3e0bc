"""What goes on in Azure: operations that were begun, since when, and how long theirs usually take; kept on disk.

A change is written down before it is asked for, and its address once it is accepted. Whoever comes after a process that
ended goes on from there: what has an address is followed, what has none may still land.
"""

import fcntl
import json
import statistics
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from core.domain.errors import Failed
from core.domain.model import Slot
from core.system.moment import KeptMoment
from core.system.text import elapsed

Doing: TypeAlias = Literal["endpoint", "tags", "traffic", "deploy", "resize", "remove"]
OF_ENDPOINT: frozenset[Doing] = frozenset({"endpoint", "tags", "traffic"})
"""Changes of the endpoint itself: while one goes on it is in no state that another one is taken in."""
KEPT = 20
"""So many earlier ones of a kind say what is usual."""
LATE_S = 1800.0
"""A call that nobody answered lands within this, or never."""
SPARE_S = 5.0
DOUBT_S = 90.0
"""What nobody has answered for longer has most likely not happened."""
WORDS: Mapping[Doing, tuple[str, str]] = {
    "endpoint": ("the endpoint is being made", "Azure sees to its address and identity"),
    "tags": ("the endpoint's tags are being written", "Azure takes no other change of it meanwhile"),
    "traffic": ("traffic moves", "Azure tells its front door"),
    "deploy": ("{slot} is being deployed", "Azure builds the image, brings up the instances and starts the container"),
    "resize": ("{slot} changes its size", "Azure brings up instances, or lets them go"),
    "remove": ("{slot} is being removed", "Azure drains the instances and gives them back"),
}
BRIEFLY: Mapping[Doing, str] = {
    "deploy": "image, VMs, container",
    "resize": "VMs come or go",
    "remove": "VMs drain and go",
}
"""What a slot waits for, where a line has 80 cells and more to say."""
RULE: Mapping[Doing, str] = {"deploy": " from here, 5 to 15 min as a rule"}
"""What users of the service report of those that take long; one that was recorded took 9 min 42 s."""


@dataclass(frozen=True, slots=True)
class AzureOperation:
    """One change that was asked for. Without an `address` nobody has answered; it is signed and shown to nobody.

    With `undo` nobody wants it any more: what still lands is taken back. A call that ended without an answer is `lost`.
    """

    id: str
    doing: Doing
    begun: KeptMoment
    slot: Slot = ""
    address: str = field(default="", repr=False)
    asked: Mapping[str, Any] = field(default_factory=dict)
    undo: bool = False
    lost: bool = False

    def unanswered(self, call_s: float) -> bool:
        """Whether nobody will answer any more: a call takes `call_s` at the most, whatever became of who made it."""
        return not self.address and (self.lost or self.begun.age_s > call_s + SPARE_S)

    def goes_on(self) -> bool:
        """Whether it surely does, or nobody has answered for a moment only."""
        return bool(self.address) or self.begun.age_s < DOUBT_S

    def words(self, usual_s: float | None) -> str:
        """Its age, what is normal for it, and what it waits for."""
        return f"{self.what}: for {elapsed(self.begun.age_s)}, {self.usual(usual_s)}"

    @property
    def what(self) -> str:
        """What happens, in words."""
        return WORDS[self.doing][0].format(slot=self.slot)

    def usual(self, usual_s: float | None) -> str:
        """What is normal for it, and what it waits for."""
        usual = f"none before{RULE.get(self.doing, '')}" if usual_s is None else f"usually {elapsed(usual_s)}"
        said = "" if self.address else "; nobody has answered, it may still happen"
        return f"{usual}; {WORDS[self.doing][1]}{said}"

    def briefly(self, state: str, usual_s: float | None, *, silent: bool) -> str:
        """The same of a slot that is in a state, for a narrow line. With `silent` nobody answers how far it is."""
        usual = "none before" if usual_s is None else f"usually {elapsed(usual_s)}"
        waits = "no answer how far" if silent else BRIEFLY.get(self.doing, "") if self.address else "not answered yet"
        return f"{state or 'Asked for'} {elapsed(self.begun.age_s)}, {usual}; {waits}"


@dataclass(frozen=True, slots=True)
class _Page:
    """All that is written down of one endpoint. `route` is the traffic that was asked for last; `sizes` are of when
    each slot was ready last."""

    operations: tuple[AzureOperation, ...] = ()
    took: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    route: Mapping[str, Any] | None = None
    untried: Mapping[str, Any] | None = None
    sizes: Mapping[Slot, tuple[str, int]] = field(default_factory=dict)


class OperationBook:
    """The file of one endpoint. Any thread of any process may write; each write is whole."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.json"

    def begin(self, doing: Doing, slot: Slot = "", asked: Mapping[str, Any] | None = None) -> AzureOperation:
        """Write down what is about to be asked for."""
        made = AzureOperation(uuid.uuid4().hex, doing, KeptMoment.now(), slot, "", dict(asked or {}))
        route = {**(asked or {}), "change": made.id} if doing == "traffic" else None

        def change(page: _Page) -> _Page:
            untried = page.untried
            if route is not None and untried is not None and _reaches(route, untried["slot"]):
                untried = None
            route_now = page.route if route is None else route
            return replace(page, operations=(*page.operations, made), route=route_now, untried=untried)

        self._changed(change)
        return made

    def accepted(self, operation: AzureOperation, address: str) -> None:
        """It was answered; without an address it has happened already."""
        if not address:
            self.forget(operation)
            return
        self._each(lambda one: replace(one, address=address) if one.id == operation.id else one)

    def gave_up(self, operation: AzureOperation) -> None:
        """Nobody answered; it may still happen."""
        self._each(lambda one: replace(one, lost=True) if one.id == operation.id else one)

    def ended(self, operation: AzureOperation, seconds: float | None) -> None:
        """It is over, after so many seconds; None where it went wrong, which says nothing of how long is usual."""

        def change(page: _Page) -> _Page:
            took = dict(page.took)
            if seconds is not None and any(one.id == operation.id for one in page.operations):
                took[operation.doing] = (*took.get(operation.doing, ()), round(seconds, 1))[-KEPT:]
            left = tuple(one for one in page.operations if one.id != operation.id)
            return replace(page, operations=left, took=took)

        self._changed(change)

    def forget(self, operation: AzureOperation) -> None:
        """It was refused, or is seen to have happened."""
        self.ended(operation, None)

    def unwanted(self, slot: Slot) -> None:
        """What is asked of a slot and not answered is to be taken back if it lands."""
        self._each(
            lambda one: (
                replace(one, undo=True) if one.slot == slot and one.doing == "deploy" and not one.address else one
            )
        )

    def operations(self) -> tuple[AzureOperation, ...]:
        """What goes on, oldest first; what nobody answered for half an hour has not happened."""
        return tuple(one for one in self._page().operations if one.address or one.begun.age_s < LATE_S)

    def route(self) -> Mapping[str, Any] | None:
        """The traffic that was asked for last, by whichever process of this project."""
        return self._page().route

    def leave_untried(self, deployed: Mapping[str, Any]) -> None:
        """A slot is about to be deployed: which, and the traffic that was there then. It is tried once a route of ours
        sends it some."""
        self._changed(lambda page: replace(page, untried=deployed))

    def untried(self) -> Mapping[str, Any] | None:
        """What was deployed last, until traffic is sent to it."""
        return self._page().untried

    def keep_sizes(self, now: Callable[[Mapping[Slot, tuple[str, int]]], Mapping[Slot, tuple[str, int]]]) -> None:
        """From the sizes that are kept to those that are known now: of each slot that is ready, or was before it is
        changed, the version and the number of instances."""
        if now(known := self.sizes()) != known:
            self._changed(lambda page: replace(page, sizes=now(page.sizes)))

    def sizes(self) -> dict[Slot, tuple[str, int]]:
        """What was kept of them last, by whichever process of this project."""
        return dict(self._page().sizes)

    def usual_s(self, doing: Doing) -> float | None:
        """How long such a one takes: the median of our own earlier ones; None without any."""
        took = self._page().took.get(doing)
        return statistics.median(took) if took else None

    def _each(self, change: Callable[[AzureOperation], AzureOperation]) -> None:
        self._changed(lambda page: replace(page, operations=tuple(change(one) for one in page.operations)))

    def _changed(self, change: Callable[[_Page], _Page]) -> None:
        with self._locked():
            page = change(self._page())
            text = json.dumps(asdict(page))
            scratch = self._path.with_suffix(".new")
            try:
                scratch.touch(mode=0o600)
                scratch.write_text(text, encoding="utf-8")
                scratch.replace(self._path)
            except OSError as error:
                raise Failed(
                    f"{self._path}: {error.strerror or error}; what Azure does can't be kept track of"
                ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.with_suffix(".lock").open("a")
        except OSError as error:
            raise Failed(f"{self._path.parent}: {error.strerror or error}; make room there, or give it back") from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _page(self) -> _Page:
        """What the file says; one that can't be read says nothing."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            operations = tuple(
                AzureOperation(**{**one, "begun": KeptMoment(**one["begun"])}) for one in found["operations"]
            )
            took = {key: tuple(float(one) for one in values) for key, values in found["took"].items()}
            sizes = {slot: (str(version), int(count)) for slot, (version, count) in found.get("sizes", {}).items()}
            return _Page(operations, took, found["route"], found.get("untried"), sizes)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return _Page()


def _reaches(route: Mapping[str, Any], slot: Slot) -> bool:
    """Whether a route sends a slot requests, or a copy of them."""
    return any((route.get(key) or {}).get(slot) for key in ("weights", "mirror"))
