"""Several endpoints in one file: what each sets, which one is meant, and what is refused in one line."""

from pathlib import Path

import pytest

from core.config.config import endpoint_name, endpoints, endpoints_meant, load
from core.domain.errors import BadInput
from core.engine.project import Project

TWO = """
data: {source: iris, target: species}
endpoint: {replicas: 2}
environments: {dev: {train: {n_iter: 3}, endpoint: {replicas: 1}}}
endpoints:
  flowers: {}
  petals: {data: {drop: [sepal_length]}, endpoint: {replicas: 3}}
"""


def written(folder: Path, text: str = TWO) -> Path:
    path = folder / "quarterdeck.yaml"
    path.write_text(text)
    return path


def test_each_has_what_the_file_says_and_what_it_says_itself(tmp_path: Path) -> None:
    path = written(tmp_path)
    flowers, petals = (load(path, "dev", endpoint=name, environ={}) for name in endpoints(path))
    assert (flowers.endpoint.name, flowers.model, flowers.endpoint.replicas) == ("flowers", "flowers", 1)
    assert (petals.endpoint.name, petals.model, petals.endpoint.replicas) == ("petals", "petals", 3)
    assert petals.data.drop == ("sepal_length",)
    assert (petals.data.source, petals.train.n_iter) == ("iris", 3)


def test_the_first_is_meant_where_none_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert endpoint_name(load(path, "staging", environ={})) == "flowers-staging"
    assert load(path, sets=["endpoint.name=petals"], environ={}).endpoint.name == "petals"
    assert load(path, environ={"QUARTERDECK_ENDPOINT__NAME": "petals"}).endpoint.name == "petals"


def test_a_flag_is_of_each_of_them_and_a_name_of_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    project = Project(path, "dev", ("train.n_iter=9",))
    assert [one.settings.endpoint.name for one in project.together] == ["flowers", "petals"]
    assert {one.settings.train.n_iter for one in project.together} == {9}
    (alone,) = Project(path, "dev", ("endpoint.name=petals",)).together
    assert alone.settings.endpoint.name == "petals"
    monkeypatch.setenv("QUARTERDECK_ENDPOINT__NAME", "petals")
    assert endpoints_meant(path, ()) == ("petals",)
    assert set(Project(path).by_endpoint()) >= {"flowers", "petals"}


def test_every_endpoint_of_every_environment_is_known(tmp_path: Path) -> None:
    known = Project(written(tmp_path)).by_endpoint()
    assert set(known) == {f"{name}{env}" for name in ("flowers", "petals") for env in ("", "-dev", "-staging")}
    assert known["petals-dev"].data.drop == ("sepal_length",)


def test_a_project_of_one_endpoint_is_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path, "data: {source: iris, target: species}\nendpoint: {name: late}\n")
    project = Project(path)
    assert project.together == (project,)
    assert endpoints(path) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("endpoints: []", "quarterdeck.yaml: endpoints: should be a mapping of endpoints' names"),
        ("endpoints: {a: 3}", "quarterdeck.yaml: endpoints.a: should be a mapping of settings, or {}"),
        ("endpoints: {a: {}}\nendpoint: {name: b}", "quarterdeck.yaml: endpoint.name: can't be set beside endpoints"),
        ("endpoints: {a: {endpoint: {name: b}}}", "endpoints.a.endpoint.name: the name is a already"),
        ("endpoints: {a: {environment: dev}}", "quarterdeck.yaml: endpoints.a.environment: can't be set for one"),
        ("endpoints: {a: {read_only: true}}", "quarterdeck.yaml: endpoints.a.read_only: can't be set for one endpoint"),
        ("endpoints: {a: {}, a-dev: {}}", "endpoints.a-dev: is what a's own endpoint is called elsewhere"),
        ("endpoints: {a: {trian: {}}}", "quarterdeck.yaml: endpoints.a.trian: unknown key"),
        ("endpoints: {A B: {}}", "quarterdeck.yaml: endpoints.A B.endpoint.name: "),
        ("environments: {dev: {endpoints: {}}}\nendpoints: {a: {}}", "environments.dev.endpoints: "),
    ],
)
def test_a_slip_is_one_line_that_names_the_place(text: str, complaint: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"data: {{source: iris, target: species}}\n{text}\n")
    with pytest.raises(BadInput) as caught:
        load(path, "dev", environ={})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--set endpoint.name: 'petal' is none of flowers, petals"):
        load(written(tmp_path), sets=["endpoint.name=petal"], environ={})


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("model: iris\n", "endpoints: flowers and petals are both of model iris"),
        ("", "endpoints: flowers and petals both want port 8080"),
    ],
)
def test_what_would_get_into_each_others_way_is_refused(more: str, complaint: str, tmp_path: Path) -> None:
    text = TWO if more else TWO.replace("endpoint: {replicas: 2}", "endpoint: {port: 8080}")
    with pytest.raises(BadInput, match=complaint):
        _ = Project(written(tmp_path, text + more), "dev").together


def test_one_is_named_by_an_option_and_a_wrong_name_is_said(tmp_path: Path) -> None:
    project = Project(written(tmp_path), "dev")
    petals = project.of_endpoint("petals")
    assert (petals.settings.endpoint.name, len(petals.together), petals.env) == ("petals", 1, "dev")
    assert petals.typed("drill") == "'quarterdeck drill --env dev --endpoint petals'"
    with pytest.raises(BadInput, match=r"--endpoint petal: is none of flowers, petals; did you mean petals\?"):
        project.of_endpoint("petal")
    (tmp_path / "one").mkdir()
    single = Project(
        written(tmp_path / "one", "data: {source: iris, target: species}\nendpoint: {name: late}\n"), "dev"
    )
    assert single.of_endpoint("late") is single
    assert "--endpoint" not in single.typed("drill")
    with pytest.raises(BadInput, match="--endpoint stock: there is one, late"):
        single.of_endpoint("stock")


def test_what_is_looked_at_is_what_environment_and_endpoint_leave(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert Project(path).meant == frozenset()
    assert Project(path, "dev").meant == {"flowers-dev", "petals-dev"}
    assert Project(path).of_endpoint("petals").meant == {"petals", "petals-dev", "petals-staging"}
    assert Project(path, "dev").of_endpoint("petals").meant == {"petals-dev"}
