"""The shortest way from granian to the app: where its own way costs more than scoring the row.

granian's embedded server lets its user say how a worker is made. This one differs in one thing: the body of a
prediction is asked for in the server's thread as soon as the request is there, and the app is called back with
it. Usually a task would be made for each request, woken twice, on another thread than the one that has the
body; that took 9 of 35 us of a processor for each request. Everything else goes the usual way, as a task.
"""

from asyncio import AbstractEventLoop, Task
from functools import partial
from time import perf_counter
from typing import Any

from granian import _granian
from granian.server.embed import AsyncWorker

from scoring.app import App

# Its types are written in Rust, and the stubs beside them lag behind.
_rust: Any = _granian


class FastPath:
    """Hands requests to the app. `arrive` runs in the server's thread, all else in the loop's."""

    def __init__(self, app: App, loop: AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self._tasks: set[Task[None]] = set()
        # The scheduler also takes what granian's own tasks need; none are made here.
        self.scheduler = _rust.CallbackScheduler(loop, None, None, None, None)
        self._context = self.scheduler._ctx  # noqa: SLF001
        self.scheduler._schedule_fn = self.arrive  # noqa: SLF001

    def arrive(self, watcher: Any) -> None:
        """Take a request from the server."""
        scope = watcher.scope
        app = self._app
        if scope.path in app.predict_paths and scope.method == "POST":
            length = scope.headers.get("content-length")
            if length is not None and int(length) <= app.small:
                app.entered += 1
                http = watcher.proto
                http().add_done_callback(partial(self._read, scope, http, perf_counter()), context=self._context)
                return
        self._loop.call_soon_threadsafe(self._begin, watcher)

    def _read(self, scope: Any, http: Any, arrived_s: float, reading: Any) -> None:
        try:
            body = reading.result()
        except Exception:
            self._app.cut_off(http)
        else:
            self._app.predict(scope, http, body, arrived_s)

    def _begin(self, watcher: Any) -> None:
        task = self._loop.create_task(self._app.answer(watcher.scope, watcher.proto))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@AsyncWorker.wrap_target  # type: ignore[untyped-decorator]
async def worker(
    number: int,
    shutdown: Any,
    app: App,
    sockets: Any,
    loop: AbstractEventLoop,
    *options: Any,
) -> None:
    """Serve an app until the server says to stop; `options` are the server's, in the order it hands them over."""
    (threads, blocking, py_threads, py_idle_s, backpressure, _, http, http1, http2, websockets, static) = options[:11]
    ssl = options[12]
    stopped = loop.create_future()
    shutdown.add_cb(lambda: loop.call_soon_threadsafe(stopped.set_result, None))
    sizes = (threads, blocking, py_threads, py_idle_s, backpressure)
    made = _rust.RSGIWorker(number, sockets, None, *sizes, http, http1, http2, websockets, static, *ssl, (None, None))
    made.serve_async(FastPath(app, loop).scheduler, loop, shutdown)
    # The server accepts by the loop's next turn.
    loop.call_soon(app.listening.set)
    await stopped
