"""The keys that ask the link for nothing: what the screen itself answers, each by a method named after its action."""

import abc
from collections.abc import Callable, Sequence

from textual.app import App

from core.state import commands
from core.state.snapshot import Snapshot
from tui.asking import Asking
from tui.environments import beside
from tui.release_stages import sources
from tui.screens.deck import DeckScreen
from tui.view import View
from tui.widgets import chart
from tui.widgets.beside import pair
from tui.widgets.load import LoadPane
from tui.widgets.stages import Stages
from tui.widgets.traffic import TrafficPane


class KeyedApp(App[None]):
    """What an app needs to answer them. Sheets are imported when first asked for: the first paint goes without.

    Long only because each action has its method here.
    """

    deck: DeckScreen
    asking: Asking
    now: Callable[[], float]
    read_only: bool
    wanted: str | None
    opens: bool
    opened: str | None
    stretch_s: float | None

    @property
    @abc.abstractmethod
    def snapshot(self) -> Snapshot:
        """What is true."""

    @property
    @abc.abstractmethod
    def view(self) -> View:
        """What there is to see now."""

    @abc.abstractmethod
    def say(self, text: str) -> None:
        """One line in the footer, for a while."""

    @abc.abstractmethod
    def look_back(self) -> None:
        """Read what the charts show and no snapshot keeps."""

    def answer(self, name: str) -> None:
        """What the action of this name shows."""
        getattr(self, f"_{name.rstrip('0123456789').rstrip('_')}")(name)

    def _logs(self, _: str) -> None:
        pane = self.deck.chosen
        if isinstance(pane, TrafficPane) and (replica := pane.chosen()) is not None and self.view.name:
            self.deck.read_log(replica.name, (replica.name,))
            if not self.read_only:
                self.run_worker(self.asking.do(commands.Tail(self.view.name, replica.name)))
            return
        stage = self.deck.query_one(Stages).chosen()
        if stage is None:
            self.say("nothing has a log yet")
            return
        self.deck.read_log(stage.name, sources(stage))

    def _maximise(self, _: str) -> None:
        self.deck.maximise()

    def _why(self, _: str) -> None:
        from tui.screens.sheet import Sheet  # noqa: PLC0415

        pane = self.deck.chosen
        self.push_screen(Sheet(lambda: f"why · {pane.name_of(self.view)}", lambda: pane.explain(self.view)))

    def _replicas(self, _: str) -> None:
        from tui.widgets.scale_dialog import ScaleDialog  # noqa: PLC0415

        view = self.view
        if view.read_only or view.endpoint is None or not view.endpoint.slots:
            self.say(view.watches if view.read_only else "nothing is served yet; run a release first")
            return

        def chose(command: commands.ScaleSlot | None) -> None:
            if command is None:
                self.say("nothing was done")
            else:
                self.run_worker(self.asking.offer(command), exit_on_error=False)

        self.push_screen(ScaleDialog(view.endpoint, lambda: self.view), chose)

    def _filter(self, _: str) -> None:
        self.deck.filter()

    def _chart(self, _: str) -> None:
        self.deck.query_one(LoadPane).turn()

    def _compare(self, _: str) -> None:
        if pair(self.view) is None:
            self.say("there are no two slots of a release to set side by side")
        self.deck.query_one(LoadPane).compare(self.view)

    def _stretch(self, _: str) -> None:
        found = chart.STRETCHES
        self.stretch_s = found[(found.index(self.stretch_s) + 1) % len(found)]
        shown = "as much as there is" if self.stretch_s is None else f"{self.stretch_s / 60:g} minutes"
        self.say(f"the charts show {shown}")
        if self.stretch_s is not None:
            self.look_back()

    def _environments(self, _: str) -> None:
        from tui.screens.sheet import Sheet  # noqa: PLC0415

        def lines() -> Sequence[str]:
            return beside(self.snapshot, self.now()) or ["no two environments serve yet"]

        self.push_screen(Sheet(lambda: "environments", lines))

    def _releases(self, _: str) -> None:
        from tui.screens.releases import ReleaseList  # noqa: PLC0415

        def chose(name: str | None) -> None:
            if name is not None:
                self.opened = name
                self.exit()

        if not self.snapshot.releases:
            self.say("there is no release yet")
            return
        if not self.opens:
            self.say("this is a recording already" if self.read_only else "no other release can be opened from here")
            return
        self.push_screen(ReleaseList(tuple(self.snapshot.releases.values()), self.now()), chose)

    def _endpoint_before(self, _: str) -> None:
        self._switch(-1)

    def _endpoint_after(self, _: str) -> None:
        self._switch(1)

    def _switch(self, by: int) -> None:
        names = sorted(self.snapshot.endpoints)
        if len(names) < 2:
            self.say("there is only one endpoint here")
            return
        at = names.index(self.view.name) if self.view.name in names else 0
        self.wanted = names[(at + by) % len(names)]

    def _pane(self, name: str) -> None:
        self.deck.to_pane(name[-1])

    def _palette(self, _: str) -> None:
        self.action_command_palette()

    def _help(self, _: str) -> None:
        from tui.screens.sheet import Sheet, keys  # noqa: PLC0415

        self.push_screen(Sheet(lambda: "keys", keys))

    def _leave(self, _: str) -> None:
        self.exit()
