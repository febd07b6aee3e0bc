"""What a project's load is sent by: the project as it is now, where it was asked for by hand."""

from pathlib import Path

import pytest

from core.config.config import load
from core.config.scaffold import init
from core.domain.errors import BadInput
from core.domain.load_profile import LoadProfile, LoadSource
from core.engine import project_environment as module
from core.engine.project_environment import ProjectEnvironment
from core.load.command import LocustSettings
from core.targets.local.kind import spec_of
from core.targets.protocol import Address

PROFILE = LoadProfile("steady", 5, 5.0, 20.0)


@pytest.fixture
def environment(tmp_path: Path) -> ProjectEnvironment:
    """As a release began it, with a locustfile of its own."""
    init(tmp_path, "iris", None, None)
    sets = ("load.locustfile=then.py", "load.processes=3", "load.web=true")
    return ProjectEnvironment(load(tmp_path, None, sets))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[LocustSettings]:
    """What Locust would have been started with."""
    seen: list[LocustSettings] = []

    async def start(_: LoadProfile, settings: LocustSettings) -> None:
        seen.append(settings)

    async def answers(_: str) -> None:
        return

    monkeypatch.setattr("core.load.child.start", start)
    monkeypatch.setattr(module, "answers", answers)
    return seen


@pytest.mark.parametrize(
    ("kind", "source", "locustfile", "processes", "web"),
    [
        ("test", LoadSource(), "then.py", 3, True),
        ("background", LoadSource(), None, 3, False),
        ("manual", LoadSource(), "then.py", 3, True),
        ("manual", LoadSource(processes=1), None, 1, False),
        ("manual", LoadSource("/now.py", "", True, 2), "/now.py", 2, True),
    ],
)
async def test_a_load_by_hand_obeys_the_settings_of_now(
    environment: ProjectEnvironment,
    sent: list[LocustSettings],
    kind: str,
    source: LoadSource,
    locustfile: str | None,
    processes: int,
    web: bool,
) -> None:
    for _ in range(2):
        await environment.load(PROFILE, kind, Address("http://127.0.0.1:1"), None, source)
    one, two = sent
    expected = None if locustfile is None else environment.settings.folder / locustfile
    assert (one.locustfile, one.processes, one.web) == (expected, processes, web)
    assert one.folder != two.folder, "two loads that begin in one second share no folder"
    await environment.close()


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "blank ", "\ttab", "nul\0"])
def test_a_key_that_no_header_can_carry_is_refused_when_it_is_read(tmp_path: Path, key: str) -> None:
    init(tmp_path, "iris", None, None)
    settings = load(tmp_path, None, ("endpoint.key_env=LATE_KEY",))
    with pytest.raises(BadInput, match="the variable LATE_KEY holds a key that HTTP can't carry") as refused:
        spec_of(settings, {"LATE_KEY": key})
    assert key not in str(refused.value)
    assert spec_of(settings, {"LATE_KEY": "two words"}).key == "two words"
