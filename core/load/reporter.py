"""Hangs on Locust's own events, and tells the engine once a second what came of the load. Lives in Locust's process."""

import math
import signal
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from core.domain.load_profile import LoadOutcome
from core.load.steering import LoadShape
from core.load.tally import Tally
from core.load.wire import LOOK_S, Wire

TICK_S = 1.0


class Reporter:
    """Hangs on Locust's own events. In a worker it counts and hands its figures to the master, else it reports."""

    def __init__(self, settings: dict[str, Any], wire: Wire, in_worker: Callable[[], None]):
        self._settings = settings
        self._wire = wire
        self._in_worker = in_worker
        self._tally = Tally()
        self._environment: Any = None
        self._starts: OneStart | None = None
        self._steering: LoadShape
        self._why = ""
        self._how = LoadOutcome.EXITED
        self._cut_short: tuple[LoadOutcome, str] | None = None
        self._workers = 0
        self._began: float | None = None
        self._last = 0.0

    def on_init(self, environment: Any, **_: Any) -> None:
        """The runner stands: choose what this process is. Locust has counted a request before we see it."""
        self._environment = environment
        runner, events = environment.runner, environment.events
        if isinstance(runner, MasterRunner):
            self._starts = OneStart(runner)
            events.worker_report.add_listener(self._on_worker_report)
        else:
            events.request.add_listener(self._on_request)
            events.user_error.add_listener(self._on_user_error)
        if isinstance(runner, WorkerRunner):
            self._wire.close()
            self._in_worker()
            events.report_to_master.add_listener(self._on_report_to_master)
            return
        gevent.signal_handler(signal.SIGTERM, self._on_signal, signal.SIGTERM)
        if callable(interrupted := signal.getsignal(signal.SIGINT)):
            signal.signal(signal.SIGINT, self._before(interrupted))
        shape, options = environment.shape_class, environment.parsed_options
        duration_s = self._settings["duration_s"]
        if not shape:
            options.run_time = None  # a locust.conf may set one, but the profile decides
        elif shape.use_common_options and duration_s:
            options.run_time = math.ceil(duration_s)
        self._steering = LoadShape(
            lambda users, spawn_rate: gevent.spawn(runner.start, users, spawn_rate),
            self._settings["users"],
            self._settings["spawn_rate"],
            () if shape else self._settings["stages"],
            type(shape).__name__ if shape else "",
        )
        if shape:
            shape.tick = self._watched(shape.tick, type(shape).__name__)
        events.test_start.add_listener(self._on_start)
        events.test_stop.add_listener(self._on_stop)
        events.reset_stats.add_listener(self._on_reset)
        events.spawning_complete.add_listener(self._on_spawned)
        events.quit.add_listener(self._on_quit)
        gevent.spawn(self._listen)

    def _on_request(self, response_time: Any, response: Any = None, exception: Any = None, **_: Any) -> None:
        self._tally.request(response_time, response, exception, time.time())

    def _on_user_error(self, exception: BaseException, **_: Any) -> None:
        self._tally.error(exception)

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        data["quarterdeck"] = self._tally.take()

    def _on_worker_report(self, data: dict[str, Any], **_: Any) -> None:
        self._tally.merge(data["quarterdeck"])

    def _on_start(self, **_: Any) -> None:
        if self._began is not None:  # started again from Locust's own page, which clears its figures
            self._on_reset()
            return
        self._began = self._last = time.monotonic()
        self._workers = self._environment.runner.worker_count if self._starts else 0
        shape = self._environment.shape_class
        self._wire.say("started", shape=type(shape).__name__ if shape else "")
        gevent.spawn(self._tick_on)
        gevent.spawn(self._conduct)

    def _on_reset(self, **_: Any) -> None:
        self._tick()
        self._wire.say("reset")

    def _on_spawned(self, **_: Any) -> None:
        if self._environment.reset_stats:
            self._on_reset()

    def _on_signal(self, number: signal.Signals) -> None:
        """Locust ends as if all were well when it is told to; that it was told is part of how it ended."""
        self._cut_short = self._cut_short or (LoadOutcome.KILLED, f"it was sent {number.name}")

    def _before(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*of: Any) -> Any:
            self._on_signal(signal.SIGINT)
            return handler(*of)

        return noted

    def _on_stop(self, **_: Any) -> None:
        """Users stop. Where nobody else asked for it, it was a hand on Locust's own page."""
        if self._environment.web_ui and not self._why and not self._cut_short:
            self._cut_short = (LoadOutcome.STOPPED, "it was stopped on Locust's own page")

    def _watched(self, tick: Callable[[], Any], name: str) -> Callable[[], Any]:
        """The shape's own tick, which then tells when it has come to its end, or broke."""

        def watched() -> Any:
            try:
                wanted = tick()
            except Exception as error:
                why = f"the shape {name} broke: {type(error).__name__}: {error}"
                gevent.spawn(self._end, why, LoadOutcome.EXITED)
                raise
            if wanted is None and not self._cut_short:
                self._cut_short = (LoadOutcome.SHAPE_ENDED, f"the shape {name} came to its end")
                if self._environment.web_ui:  # with its page open Locust would stay
                    gevent.spawn(self._end, *reversed(self._cut_short))
            return wanted

        return watched

    def _on_quit(self, **_: Any) -> None:
        """Locust has stopped every user: whatever is counted now is the rest."""
        if self._began is not None and not self._tally.empty:
            self._tick()
        how, why = self._how, self._why
        if not why or how is LoadOutcome.FINISHED:
            how, why = self._cut_short or (how, why or "the locustfile ended it")
        self._wire.say("ended", why=why, how=how)
        self._wire.flush()

    def _tick_on(self) -> None:
        due = self._last
        while True:
            due = max(due + TICK_S, time.monotonic())
            gevent.sleep(due - time.monotonic())
            self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        runner = self._environment.runner
        users = runner.user_count
        if self._starts and runner.state in (STATE_RUNNING, STATE_SPAWNING) and runner.worker_count < self._workers:
            gevent.spawn(self._end, "a worker of Locust's died or hung", LoadOutcome.KILLED)
        self._wire.say("tick", at=time.time(), seconds=seconds, users=users, **self._tally.take())

    def _conduct(self) -> None:
        """Stages and the end by the clock. A pause holds the clock; a shape has its own."""
        elapsed_s, seen = 0.0, time.monotonic()
        duration_s = None if self._environment.shape_class else self._settings["duration_s"]
        while duration_s is None or elapsed_s < duration_s:
            gevent.sleep(LOOK_S)
            now = time.monotonic()
            elapsed_s += 0.0 if self._steering.paused else now - seen
            seen = now
            self._steering.at(elapsed_s)
        self._end(f"it ran its {duration_s:g} s", LoadOutcome.FINISHED)

    def _listen(self) -> None:
        for command in self._wire.commands():
            refused = None
            if command["do"] == "stop":
                gevent.spawn(self._end, "it was stopped", LoadOutcome.STOPPED)
            elif command["do"] == "reset":
                self._environment.events.reset_stats.fire()
                self._environment.runner.stats.reset_all()
                self._environment.runner.exceptions = {}
            else:
                refused = self._steering.obey(command)
            self._wire.say("answer", id=command["id"], refused=refused)
        self._end("the engine is gone", LoadOutcome.GONE)

    def _end(self, why: str, how: LoadOutcome) -> None:
        if self._why:
            return
        self._why, self._how = why, how
        self._wire.say("ending")
        runner = self._environment.runner
        if self._starts:
            self._starts.cancel()
        runner.stop()  # a master waits here for each worker's last figures, which quit() alone does not
        runner.quit()
        if self._environment.web_ui:
            self._environment.web_ui.stop()


class OneStart:
    """A master's start() runs as long as its ramp, and two ramps at once break its dispatcher: the newest one wins."""

    def __init__(self, runner: Any):
        self._start = runner.start
        self._running: Any = None
        runner.start = self

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """As the runner's own start()."""
        self.cancel()
        self._running = gevent.spawn(self._start, *args, **kwargs)
        self._running.join()

    def cancel(self) -> None:
        """Leave the ramp where it is."""
        if self._running:
            self._running.kill()
