"""Pane 4: the endpoint. A line a slot, with the share of the answers it really gives beside the share it should."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rich.cells import cell_len

from core.domain.model import Observation, Replica, Slot
from core.domain.plan import Deploy
from core.state.gone import gone_slots
from tui import format as as_text
from tui.actions import begins
from tui.evidence import no_answer_s, nobody_drives, silent_s
from tui.health import FAILING_PERCENT
from tui.kept import kept
from tui.pending import pending
from tui.real_weights import share as share_of
from tui.styled import Line, Part, aligned, bar, columns, cut, left, right, width as width_of
from tui.summary import Reality, proof, reality
from tui.theme import slot_role
from tui.view import View
from tui.why import service
from tui.widgets.pane import Pane
from tui.widgets.replicas import SlotReplica, lines_of_counts, table, trouble, worst_first

SLOTS = 2
"""So many slot lines are always there, so that nothing moves when the second slot comes."""
COLUMN = 74
"""Where there is room, the replicas of two slots stand side by side."""
LEAST_BAR, SLOT = 4, 6
READY = " ready"


class TrafficPane(Pane):
    """The slots of the endpoint; full, their replicas too."""

    NUMBER = "4"
    TICKS = True

    def __init__(self, **rest: str) -> None:
        super().__init__(**rest)
        self._beside = False
        self._under = ""

    def parts(self, view: View) -> tuple[object, ...]:
        """The slots, what they were asked for, and what they answered."""
        endpoint = view.endpoint
        if endpoint is None:
            return (None,)
        series = [view.series(slot) for slot in endpoint.slots]
        return (endpoint, view.release, view.series(None), no_answer_s(view) is None, *series)

    def name_of(self, view: View) -> str:
        """The endpoint's own name, and who drives it since when, if somebody does."""
        endpoint = view.endpoint
        name = f"endpoint {view.name}" if view.name else "endpoint"
        # Who only watches takes turns without writing it down; who drives a release does not.
        if endpoint is None or not endpoint.driver or view.release is None or not view.release.live:
            return name
        if nobody_drives(view):
            return name
        since = f" since {as_text.clock(view.driven_since)}" if view.driven_since is not None else ""
        return f"{name} · driven by {endpoint.driver}{since}"

    def note_of(self, view: View) -> str:
        """Where it answers, as whom and in which place if that is not this machine, and how old what stands here is."""
        if view.endpoint is None:
            return ""
        unheard = silent_s(view)
        old = f"as of {as_text.about(unheard)} ago · " if unheard is not None else ""
        url = view.endpoint.url.removeprefix("http://")
        return old + " · ".join(part for part in (url, view.account, view.elsewhere) if part)

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The slots, then where the traffic goes and how that was proved, then the replicas if there is room."""
        endpoint = view.endpoint
        if endpoint is None or not (endpoint.slots or _ill(view)):
            return [(("nothing is served yet", "dim"),), proof(view, width) or _first(view)]
        shown = sorted(endpoint.slots.values(), key=lambda seen: seen.slot)
        rows = self._slots(shown, view, width)
        while len(rows) < SLOTS:
            rows.append(())
        ill = _ill(view)
        below = self._below(view, width, ill)
        rows += [below, *self._more(view, width, ill)] if height > len(rows) + 1 else [below]
        if height > len(rows) + 1:
            rows += [(), *self._replicas(shown, view, (width, height - len(rows) - 1))]
        return rows

    def _slots(self, shown: list[Observation], view: View, width: int) -> list[Line]:
        """A line a slot, in columns; the bar has the room that the figures leave, and columns leave as a whole."""
        real, heard = reality(view), silent_s(view) is None and no_answer_s(view) is None
        weights = view.endpoint.weights if view.endpoint else {}
        labels = {seen.slot: seen.version.label if seen.version else as_text.NOTHING for seen in shown}
        label_cells = max([4, *map(cell_len, labels.values())]) + 1
        names = SLOT + label_cells
        figures = aligned(
            [
                _figures(seen, real[seen.slot], weights, heard, heard and _quiet(view, seen.slot), _cost(seen, shown))
                for seen in shown
            ],
            max(0, width - names - LEAST_BAR),
        )
        room = max(LEAST_BAR, width - names - max((width_of(line) for line in figures), default=0))
        rows: list[Line] = []
        for seen, line in zip(shown, figures, strict=True):
            share = real[seen.slot].share
            label = left(labels[seen.slot], label_cells)
            name: Line = ((left(seen.slot, SLOT), slot_role(seen.slot)), (label, "text"))
            full = bar((share if share is not None else seen.weight) / 100, room, slot_role(seen.slot, "bar"))
            sample = real[seen.slot].sample
            said = () if sample is not None and sample.requests else kept(view, seen)
            rows.append(_standing(said, line, room, name) or (*name, *full, *line))
        return rows

    def _below(self, view: View, width: int, ill: str) -> Line:
        """What matters most beside the slots: who is missing, what is to be done, or where traffic goes for sure."""
        waiting = pending(view)
        if nobody_drives(view):
            return (("‖ ", "moves"), ("nobody drives this release: 'quarterdeck watch' starts who does", "moves"))
        if ill:
            return (("! ", "moves"), (cut(ill, width - 2), "moves"))
        if waiting:
            more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
            return (("… ", "moves"), (f"{waiting[0]}{more}", "moves"))
        return proof(view, width)

    def _more(self, view: View, width: int, ill: str) -> list[Line]:
        """With room, the rest of what is still to be done, and the proof that it took the place of."""
        waiting, instead = pending(view), nobody_drives(view) or bool(ill)
        if not waiting and not instead:
            return []
        begun = 0 if instead else 1
        return [proof(view, width), *((("… ", "moves"), (said, "moves")) for said in waiting[begun:])]

    def _replicas(self, shown: list[Observation], view: View, size: tuple[int, int]) -> list[Line]:
        """The replicas of all slots, or of each slot beside the other where there is room for that."""
        width, height = size
        self._beside = len(shown) > 1 and width >= COLUMN * len(shown)
        sides = self._sides(shown)
        counted = max(lines_of_counts(side, height) for side in sides)
        under, heard = self._under if self.has_focus else "", silent_s(view) is None
        room = (COLUMN - 1 if self._beside else width, height)
        tables = [table(side, room, under, view.now, heard=heard, counted=counted) for side in sides]
        return [columns(row, COLUMN) for row in zip_longest(*tables, fillvalue=())] if self._beside else tables[0]

    def _sides(self, shown: list[Observation]) -> list[list[SlotReplica]]:
        return [worst_first([seen]) for seen in shown] if self._beside else [worst_first(shown)]

    def replicas(self) -> list[Replica]:
        """All replicas in the order shown."""
        endpoint = self.view.endpoint if self.view else None
        slots = sorted(endpoint.slots.values(), key=lambda seen: seen.slot) if endpoint else []
        return [one.replica for side in self._sides(slots) for one in side]

    def chosen(self) -> Replica | None:
        """The replica under the cursor, or else the one that is worst off."""
        found = self.replicas()
        under = (one for one in found if one.name == self._under)
        return next(under, found[0] if found else None)

    def move(self, by: int) -> None:
        """The cursor up or down. It stays with its replica, wherever that goes in the list."""
        names = [one.name for one in self.replicas()]
        if names and self.view is not None:
            at = names.index(self._under) if self._under in names else -1
            self.cursor = min(max(0, at + by), len(names) - 1)
            self._under = names[self.cursor]
            self.redraw()

    def why(self, view: View) -> list[str]:
        """What is known of the service now, and what happened to it."""
        slots = view.endpoint.slots if view.endpoint else {}
        stays = {slot: next(iter(kept(view, seen)), "") for slot, seen in sorted(slots.items())}
        label = {slot: seen.version.label if seen.version else "" for slot, seen in slots.items()}
        costs = [f"{slot} costs {seen.costs}" for slot, seen in sorted(slots.items()) if seen.costs]
        holds = [f"{slot} holds {label[slot]}: {text}" for slot, text in stays.items() if text]
        return [*service(view), *holds, *costs]


def _first(view: View) -> Line:
    """What brings the first version here: the release that is under way, or how one begins."""
    release = view.release
    if release is not None and release.live:
        brings = any(isinstance(step.step, Deploy) for step in release.steps)
        return ((release.id, "strong"), (" brings a version here" if brings else " only makes a version", "dim"))
    how = ("n", "key") if begins(view) else ("quarterdeck release", "strong")
    return (how, (" trains and serves a model", "dim"))


def _ill(view: View) -> str:
    """Why a slot has not the replicas that it should have; nothing where that was long heard of."""
    if view.endpoint is None or silent_s(view) is not None:
        return ""
    for gone in gone_slots(view.snapshot, view.endpoint, view.now):
        return f"{gone.text}; {gone.todo}"
    slots = sorted(view.endpoint.slots.values(), key=lambda seen: (-seen.weight, seen.slot))
    return next((said for seen in slots if (said := trouble(seen))), "")


def _standing(said: Sequence[str], figures: Line, room: int, name: Line) -> Line:
    """A slot that is kept: as much as fits of that, in place of figures that would all be of nothing; else nothing."""
    # Between two parts stands what fills their column.
    ready = figures[-3:] if figures and figures[-1][0] == READY else figures[-1:]
    room += width_of(figures) - width_of(ready)
    text = next((one for one in said if cell_len(one) < room), "")
    return (*name, (left(text, room), "dim"), *ready) if text else ()


def _quiet(view: View, slot: Slot) -> bool:
    """Whether the router stopped counting because there was nothing to count: zeros come first, then nothing."""
    last = view.series(slot).last
    return last is None or last.requests == 0


def _cost(seen: Observation, shown: Sequence[Observation]) -> list[Part]:
    """What a slot costs, where one of them costs anything; it leaves first."""
    cells = max((cell_len(one.costs) for one in shown), default=0)
    return [(6, ((right(seen.costs, cells + 2), "dim"),))] if cells else []


def _figures(
    seen: Observation, real: Reality, weights: Mapping[Slot, float], heard: bool, quiet: bool, cost: Sequence[Part]
) -> list[Part]:
    """The figures of a slot; what answers, what should, and what is ready stay longest. `quiet`: 0 was counted."""
    # A route names those that get something.
    wanted = weights.get(seen.slot, 0.0) if weights else seen.weight
    ready_role = "good" if seen.ready >= seen.due else "waits" if seen.ready else "fails"
    sample = real.sample
    p95 = sample.latency.percentile_ms(95) if sample else None
    failed = sample.failed_percent if sample else None
    failed_role = "fails" if (failed or 0.0) > FAILING_PERCENT else "text"
    rps = sample.rps if sample else 0.0 if quiet else None
    copied = seen.mirror > 0
    share = f" mirror {seen.mirror:.3g} %" if copied else right(share_of(real.share), 8)
    return [
        (0, ((share, "moves" if copied else "strong"),)),
        (3, ((right("" if copied else f" of {wanted:.3g}", 7), "dim"),)),
        (2, ((right(as_text.whole(rps), 6), "text"), (" rps", "dim"))),
        (4, ((" p95", "p95"), (right(as_text.ms(p95), 5), "text"))),
        (1, ((right(as_text.percent(failed), 8), failed_role), (" err", "dim"))),
        *cost,
        (0, ((right(f" {seen.ready}/{seen.due}", 6), ready_role if heard else "dim"),)),
        (5, ((READY, "dim"),)),
    ]
