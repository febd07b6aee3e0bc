"""Judges mutants in the process of pytest, which has imported and collected everything once: a fork for each mutant."""

import functools
import gc
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from tests.mutation.mutants import Mutant

MEMORY = 4 << 30
KILLED, HUNG = 1, {signal.SIGPROF, signal.SIGALRM}


class Judge:
    """A plugin that runs every test once, noting its lines, and then for each mutant those that run its lines."""

    def __init__(
        self, root: Path, mutants: list[Mutant], most_s: float, tell: Callable[[Mutant, str, str], None]
    ) -> None:
        self.root, self.mutants, self.most_s, self.tell = root, mutants, most_s, tell
        self.files = {str(root / one.name.split()[0]) for one in mutants}
        self.reaching: dict[tuple[str, int], set[pytest.Item]] = defaultdict(set)
        self.took_s: dict[pytest.Item, float] = {}
        self.failed: list[str] = []

    def pytest_sessionstart(self) -> None:
        """No example is shrunk: that something failed is enough."""
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "mutation",
            phases=(Phase.explicit, Phase.generate),
            database=None,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Without any mutant every test must pass."""
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once."""
        items = session.items
        for item, after in zip(items, [*items[1:], items[0]], strict=True):
            _forget()
            began = time.process_time()
            sys.settrace(functools.partial(self._entered, item))
            item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
            sys.settrace(None)
            self.took_s[item] = time.process_time() - began
        if self.failed:
            raise pytest.UsageError(f"fails without any mutant: {self.failed}")
        quick = {item for item in items if self.took_s[item] <= self.most_s}
        if (found := self._judged(None, "", sorted(quick, key=items.index)))[0] != "survived":
            raise pytest.UsageError(f"fails in a fork without any mutant: {found[1]}")
        gc.collect()
        gc.freeze()
        last: dict[str, pytest.Item] = {}
        for mutant in self.mutants:
            file, where = str(self.root / mutant.name.split()[0]), mutant.name.split(":")[0]
            chosen = set().union(*(self.reaching[file, line] for line in mutant.lines))
            order = sorted(chosen & quick, key=lambda item: (item is not last.get(where), self.took_s[item]))
            became, by = self._judged(mutant, file, order) if order else ("untested", None)
            if by is not None:
                last[where] = by
            self.tell(mutant, became, by.nodeid if by else "")
        return True

    def _entered(self, item: pytest.Item, frame: FrameType, event: str, arg: object) -> Any:
        file = frame.f_code.co_filename
        if file not in self.files:
            return None

        def line(frame: FrameType, event: str, arg: object) -> Any:
            self.reaching[file, frame.f_lineno].add(item)
            return line

        return line(frame, event, arg)

    def _judged(self, mutant: Mutant | None, file: str, order: list[pytest.Item]) -> tuple[str, pytest.Item | None]:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if mutant is not None:
                    _put(mutant, file)
                _run(order, writes)
            finally:
                os._exit(0)
        os.close(writes)
        with os.fdopen(reads, "rb") as said:
            begun = said.read()
        _, status = os.waitpid(child, 0)
        by = order[int(begun.split()[-1])] if begun else None
        if os.WIFSIGNALED(status):
            return "timeout" if os.WTERMSIG(status) in HUNG else "killed", by
        return ("killed", by) if os.WEXITSTATUS(status) == KILLED else ("survived", None)


def _put(mutant: Mutant, file: str) -> None:
    """Exchange the code of a function wherever it is held, and forget what was kept of its answers."""
    code = mutant.code()
    gc.unfreeze()
    _forget()
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename == file and _is(one.__code__, mutant):
            one.__code__ = code


@functools.cache
def _caches() -> list[Any]:
    found = (one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper))
    return [one for one in found if (one.__module__ or "").startswith(("core.", "scoring."))]


def _forget() -> None:
    """What was kept of answers was given by another code, or would be given without running any."""
    for one in _caches():
        one.cache_clear()


def _is(code: CodeType, mutant: Mutant) -> bool:
    return (code.co_qualname, code.co_firstlineno) == mutant.place


def _run(order: list[pytest.Item], writes: int) -> None:
    """Run tests up to the first that fails; which of them is under way is written to a pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    order[0].config.pluginmanager.register(_First())
    for place, item in enumerate(order):
        os.write(writes, b"%d\n" % place)
        signal.setitimer(signal.ITIMER_PROF, 5)
        signal.setitimer(signal.ITIMER_REAL, 60)
        after = order[place + 1] if place + 1 < len(order) else None
        item.ihook.pytest_runtest_protocol(item=item, nextitem=after)


class _First:
    """Ends the process at the first test that fails, before anything is said about it."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(KILLED)
