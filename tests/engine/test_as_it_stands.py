"""What serves in a cluster counts as what serves, whatever the journal of the folder knows of it."""

from pathlib import Path

import pytest
import yaml

from core.config.planner import Wishes
from core.config.scaffold import init
from core.domain.errors import Refused, Unreachable
from core.domain.model import Version
from core.engine.as_it_stands import as_it_stands
from core.engine.project import Project
from core.state.snapshot import Snapshot
from core.targets.kinds import kind_of
from core.targets.protocol import Target, Turn
from tests.environments import V1
from tests.kubernetes.cluster import running
from tui.plan_command import lines_of

IMAGE = f"registry.example/iris@sha256:{'0' * 64}"


def _project(folder: Path, context: str = "stand-in") -> Project:
    path = init(folder, "iris")
    settings = yaml.safe_load(path.read_text())
    place = {"context": context, "namespace": "flights", "create_namespace": True, "image": IMAGE}
    settings |= {"target": "kubernetes", "kubernetes": {**place, "traffic": "replicas"}}
    path.write_text(yaml.safe_dump(settings))
    return Project(path, "dev")


async def _no_model(version: Version) -> Path:
    raise NotImplementedError(version)


def _target(project: Project, kubeconfig: Path) -> Target:
    return kind_of("kubernetes").opened(project.settings, _no_model, {"KUBECONFIG": str(kubeconfig)})(1)


async def test_an_empty_journal_releases_over_what_the_cluster_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path)
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        ours, theirs = _project(tmp_path / "ours"), _project(tmp_path / "theirs")
        nothing = await as_it_stands([ours], Snapshot())
        nothing.check("iris-dev")
        assert nothing.snapshot.endpoint("iris-dev").served is None
        assert " · nothing serves yet" in (await lines_of(ours, Wishes()))[0]
        target = _target(theirs, kubeconfig)
        target.stand_for(Turn("r-theirs", "bob"))  # type: ignore[attr-defined]
        await target.apply("blue", V1, 1)
        await target.route({"blue": 100})
        stands = await as_it_stands([ours], Snapshot())
        assert stands.snapshot.endpoint("iris-dev").served == V1
        with pytest.raises(Refused, match=r"iris-dev: release r-theirs of a driver on .*\(bob, in the folder theirs\)"):
            stands.check("iris-dev")
        lines = await lines_of(ours, Wishes())
        assert lines[0] == f"iris-dev · dev · canary · over {V1.label}, which serves"
        assert any(line.startswith("would fail as it is now: iris-dev: release r-theirs") for line in lines)
        (await as_it_stands([theirs], Snapshot())).check("iris-dev")
        await target.close()


async def test_of_a_cluster_that_can_not_be_asked_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    project = _project(tmp_path / "ours", "elsewhere")
    stands = await as_it_stands([project], Snapshot())
    with pytest.raises(Unreachable, match="iris-dev: not known what serves there: "):
        stands.check("iris-dev")
    lines = await lines_of(project, Wishes())
    assert lines[0] == "iris-dev · dev · canary · over what serves there"
    assert any(line.startswith("not known: what serves there now: ") for line in lines)
