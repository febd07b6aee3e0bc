"""Settings: which layer wins, what a slip looks like, and that they survive the way to a child process."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import get_args
from unittest import mock

import pytest
import yaml

from core.config.config import (
    alias,
    artifact_folder,
    data_path,
    endpoint_name,
    load,
    mlflow_ui_line,
    previous_alias,
    runs_folder,
    state_folder,
    tracking_uri,
)
from core.config.layers import read_file
from core.config.scaffold import init
from core.config.serving import Strategy
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed
from core.domain.gates import MEASURED

SMALL = """
environment: prod
data: {source: flights, target: late, rows: 20000}
train: {n_iter: 7}
endpoint: {name: late}
environments:
  dev: {train: {n_iter: 3}, endpoint: {replicas: 1}}
  prod: {thresholds: {min_accuracy: 0.88}}
"""


def written(folder: Path, text: str = SMALL) -> Path:
    """A project in a folder."""
    path = folder / "quarterdeck.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def settings(folder: Path, text: str = SMALL, *sets: str, env: str | None = None, **variables: str) -> Settings:
    """The settings of a project written this moment, under these variables alone."""
    return load(written(folder, text), env, sets, environ=variables)


def line(folder: Path, text: str = SMALL, *sets: str, env: str | None = None, **variables: str) -> str:
    """The one line that refuses a project."""
    with pytest.raises(BadInput) as caught:
        settings(folder, text, *sets, env=env, **variables)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    variable = {"QUARTERDECK_TRAIN__N_ITER": "4"}
    assert settings(tmp_path).train.n_iter == 7
    assert settings(tmp_path, env="dev").train.n_iter == 3
    assert settings(tmp_path, env="dev", **variable).train.n_iter == 4
    assert settings(tmp_path, SMALL, "train.n_iter=5", env="dev", **variable).train.n_iter == 5
    assert settings(tmp_path, "data: {source: iris, target: species}\nendpoint: {name: i}").train.n_iter == 20


def test_the_environment_is_chosen_by_flag_then_set_then_variable_then_file(tmp_path: Path) -> None:
    variable = {"QUARTERDECK_ENVIRONMENT": "staging"}
    assert settings(tmp_path).environment == "prod"
    assert settings(tmp_path, **variable).environment == "staging"
    assert settings(tmp_path, SMALL, "environment=dev", **variable).environment == "dev"
    assert settings(tmp_path, SMALL, "environment=dev", env="prod", **variable).environment == "prod"
    assert settings(tmp_path, SMALL.replace("environment: prod\n", "")).environment == "dev"


@pytest.mark.parametrize(
    ("env", "floors"),
    [
        ("dev", (0.75, None, None, False)),
        ("staging", (0.85, 0.80, 0.75, False)),
        ("prod", (0.88, 0.85, 0.80, True)),
    ],
)
def test_an_environment_has_its_floors_and_the_project_overrides_them(
    env: str, floors: tuple[object, ...], tmp_path: Path
) -> None:
    found = settings(tmp_path, env=env).thresholds
    assert (found.min_accuracy, found.min_precision, found.min_recall, found.beat_baseline) == floors


def test_a_floor_can_be_taken_away(tmp_path: Path) -> None:
    text = SMALL.replace("min_accuracy: 0.88", "min_precision: null")
    assert settings(tmp_path, text).thresholds.min_precision is None


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ("dev", ("late-dev", "dev", "dev-previous")),
        ("staging", ("late-staging", "staging", "staging-previous")),
        ("prod", ("late", "production", "previous")),
    ],
)
def test_each_environment_has_an_endpoint_and_aliases_of_its_own(
    env: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    found = settings(tmp_path, env=env)
    assert (endpoint_name(found), alias(found), previous_alias(found)) == names


def test_production_moves_to_the_environment_that_is_marked(tmp_path: Path) -> None:
    text = SMALL + "  staging: {production: true}\n"
    assert alias(settings(tmp_path, text, env="staging")) == "production"
    assert alias(settings(tmp_path, text)) == "prod"


def test_everything_of_a_project_lies_in_its_folder(tmp_path: Path) -> None:
    found = settings(tmp_path, SMALL.replace("source: flights", "source: rows/a.csv"))
    assert found.folder == tmp_path.resolve()
    assert state_folder(found) == tmp_path / ".quarterdeck"
    assert artifact_folder(found) == tmp_path / ".quarterdeck" / "mlartifacts"
    assert runs_folder(found) == tmp_path / "runs"
    assert data_path(found) == tmp_path / "rows" / "a.csv"
    assert data_path(settings(tmp_path)) is None


def test_the_registry_is_the_variables_then_the_files_then_the_projects_own(tmp_path: Path) -> None:
    set_here = settings(tmp_path, SMALL, "registry.tracking_uri=http://there:5000")
    assert tracking_uri(set_here, {"MLFLOW_TRACKING_URI": "http://me:secret@here"}) == "http://me:secret@here"
    assert tracking_uri(set_here, {}) == "http://there:5000"
    assert tracking_uri(settings(tmp_path), {}) == f"sqlite:///{tmp_path.resolve()}/.quarterdeck/mlflow.db"


def test_rows_named_on_the_command_line_replace_the_sample(tmp_path: Path) -> None:
    data = load(written(tmp_path), input_data=tmp_path / "mine.csv", environ={}).data
    assert (data.source, data.rows, data.months) == (str(tmp_path.resolve() / "mine.csv"), None, None)


def test_settings_survive_the_way_to_a_child(tmp_path: Path) -> None:
    found = settings(tmp_path, SMALL, "data.months=1,2,3", "endpoint.autoscaling={min: 1, max: 3, cpu: 60}")
    assert Settings.from_dump(found.dump()) == found


def test_what_is_written_by_another_name_than_its_field_survives_it_too(tmp_path: Path) -> None:
    text = """
    data: {source: iris, target: species}
    endpoint: {name: iris, autoscaling: {min: 1, max: 4, cpu: 60}}
    target: azureml
    azureml:
      timezone: Europe/Berlin
      subscription: 00000000-0000-0000-0000-000000000000
      resource_group: rg
      workspace: ws
      schedule: [{name: night, from: "20:00", to: "06:00", min: 1, max: 2}]
    """
    read = settings(tmp_path, textwrap.dedent(text))
    assert Settings.from_dump(read.dump()) == read


def test_they_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings(tmp_path).train.n_iter = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "cpu_m", "memory_mb"),
    [
        ("cpu: 500m, memory: 256Mi", 500, 268.435456),
        ("cpu: 0.5, memory: 1Gi", 500, 1073.741824),
        ("cpu: 1, memory: 200M", 1000, 200.0),
        ("cpu: '1.5', memory: 500000k", 1500, 500.0),
        ("cpu: null, memory: null", None, None),
    ],
)
def test_cpu_and_memory_are_read_as_kubernetes_reads_them(
    given: str, cpu_m: int | None, memory_mb: float | None, tmp_path: Path
) -> None:
    endpoint = settings(tmp_path, SMALL.replace("name: late", f"name: late, {given}")).endpoint
    assert (endpoint.cpu_m, endpoint.memory_mb) == (cpu_m, memory_mb)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data.months=7", (7,)),
        ("data.months=[9, 8, 8]", (8, 9)),
        ("data.drop=a,b", ("a", "b")),
        ("release.steps=5,100", (5, 100)),
        ("thresholds.significance=1e-3", 0.001),
        ("train.deadline_s=60", 60.0),
        ("load.web=true", True),
        ("model=flights", "flights"),
    ],
)
def test_values_are_typed_as_people_type_them(setting: str, value: object, tmp_path: Path) -> None:
    found: object = settings(tmp_path, SMALL, setting)
    for part in setting.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value


def test_that_a_person_is_asked_in_production_no_flag_or_variable_takes_away(tmp_path: Path) -> None:
    text = SMALL.replace("prod: {", "prod: {approve: person, ")
    agreed = "in prod only quarterdeck.yaml says that nobody is asked; --confirm prod agrees once"
    assert line(tmp_path, text, "approve=ci", env="prod") == f"--set approve: {agreed}"
    assert line(tmp_path, text, env="prod", QUARTERDECK_APPROVE="nobody") == f"QUARTERDECK_APPROVE: {agreed}"
    assert settings(tmp_path, text, "approve=person", env="prod").approve == "person"
    assert settings(tmp_path, text, "approve=nobody", env="staging").approve == "nobody"


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("train.n_itr=5", "train.n_itr: unknown key; did you mean n_iter?"),
        ("n_iter=5", "n_iter: unknown key; did you mean train.n_iter?"),
        ("zebra=5", "zebra: unknown key"),
        ("train.zebra.x=5", "train.zebra: unknown key"),
        ("train.n_iter=many", "train.n_iter: 'many' should be a whole number"),
        ("train.n_iter=true", "train.n_iter: true should be a whole number"),
        ("train.n_iter=2.5", "train.n_iter: 2.5 should be a whole number"),
        ("train.n_iter=0", "train.n_iter: 0 should be at least 1"),
        ("train=5", "train: 5 should be a mapping of settings"),
        ("data.split=1", "data.split: 1 should be below 1"),
        ("data.split=0", "data.split: 0 should be above 0"),
        ("data.split=.nan", "data.split: nan should be a number"),
        ("data.months=13", "data.months: months go from 1 to 12"),
        ("data.months={a: 1}", "data.months: a mapping should be a list"),
        ("data.target=''", "data.target: '' should be text that is not empty"),
        ("data.target=null", "data.target: is empty, and should be text"),
        ("load.web=maybe", "load.web: 'maybe' should be true or false"),
        ("model=a/b", "model: 'a/b' should not hold / or :, which part the registry's addresses"),
        ("endpoint.port=70000", "endpoint.port: 70000 should be at most 65535"),
        (
            "endpoint.name=Late",
            "endpoint.name: 'Late' should be small letters, digits, - and _, such as late-flights",
        ),
        ("endpoint.name=late-", "endpoint.name: 'late-' should begin with a letter and end with a letter or a digit"),
        (f"endpoint.name={'x' * 43}", f"endpoint.name: {'x' * 20}… has 43 characters, and 42 are the most"),
        ("endpoint.cpu=lots", "endpoint.cpu: 'lots' is not an amount of CPU; write 500m or 0.5"),
        ("endpoint.cpu=0", "endpoint.cpu: '0' is not an amount of CPU; write 500m or 0.5"),
        ("endpoint.memory=256", "endpoint.memory: '256' is not an amount of memory; write 256Mi or 1Gi"),
        (
            "endpoint.autoscaling={min: 5, max: 2, cpu: 50}",
            "endpoint.autoscaling: min 5 is above max 2",
        ),
        (
            "endpoint.autoscaling={max: 2}",
            "endpoint.autoscaling: needs cpu or memory, the wanted use in percent of the request",
        ),
        (
            "endpoint={name: late, cpu: null, autoscaling: {cpu: 50}}",
            "endpoint: autoscaling.cpu is in percent of endpoint.cpu, which is not set",
        ),
        (
            "release.strategy=canery",
            f"release.strategy: 'canery' is none of {', '.join(get_args(Strategy))}; did you mean canary?",
        ),
        ("release.steps=[50, 10, 100]", "release.steps: steps rise and end at 100, such as [10, 50, 100]"),
        (
            "release.gates=[{metrik: p50_ms, metric: p50_ms, limit: 9}]",
            "release.gates[0].metrik: unknown key; did you mean metric?",
        ),
        (
            "release.gates=[{metric: mood, limit: 9}]",
            f"release.gates[0].metric: 'mood' is not measured here; one of {', '.join(MEASURED)}",
        ),
        (
            "release.gates=[{metric: mix_points, limit: 5}]",
            "release.gates[0]: mix_points is how the labels of two slots differ: add 'against: live'",
        ),
        (
            "release.gates=[{metric: unknown_percent, limit: 5, op: '>'}]",
            "release.gates[0]: unknown_percent is good where it is small: it takes < or <=, not >",
        ),
        ("release.gates=[{metric: p50_ms}]", "release.gates[0].limit: is needed and not set"),
        ("environments.dev.train.n_iter=5", "environments: can't be set here"),
        ("folder=/", "folder: can't be set here"),
        ("production=true", "production: belongs into environments.NAME of the file"),
    ],
)
def test_a_slip_is_one_line_with_its_key_and_the_nearest_right_one(
    setting: str, complaint: str, tmp_path: Path
) -> None:
    assert line(tmp_path, SMALL, setting) == f"--set {complaint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("train: {n_itr: 5}", "train.n_itr: unknown key; did you mean n_iter?"),
        ("train: {n_iter: 5, n_iter: 6}", "line 4, column 20: n_iter is given twice"),
        ("train: {n_iter: 5", "line 5, column 1: expected ',' or '}', but got '<stream end>'"),
        ("train: [", "line 5, column 1: expected the node content, but found '<stream end>'"),
        ("train: 2020-99-99", "month must be in 1..12"),
        ("train: \x00", "unacceptable character #x0000: special characters are not allowed"),
        (
            "environments: {prod: {train: {n_itr: 5}}}",
            "environments.prod.train.n_itr: unknown key; did you mean n_iter?",
        ),
        ("environments: {prd: {}}", "environments.prd: unknown key; one of dev, staging, prod"),
        ("environments: [prod]", "environments: should be a mapping of dev, staging, prod"),
        ("environments: {dev: 5}", "environments.dev: should be a mapping of settings"),
        ("environments: {dev: {environment: prod}}", "environments.dev.environment: belongs to the top of the file"),
        (
            "environments: {dev: {production: true}, prod: {production: true}}",
            "environments: dev and prod can't both be production",
        ),
        ("environment: prd", "environment: 'prd' is none of dev, staging, prod"),
        ("production: true", "production: belongs into environments.NAME of the file"),
        ("folder: /tmp", "folder: can't be set here"),
        (
            "registry: {tracking_uri: 'postgresql://me:secret@db/x'}",
            "registry.tracking_uri: holds a password; put the address into MLFLOW_TRACKING_URI instead",
        ),
        ("modl: x\ntrian: {}", "modl: unknown key; did you mean model? · trian: unknown key; did you mean train?"),
    ],
)
def test_a_slip_in_the_file_names_the_file(text: str, complaint: str, tmp_path: Path) -> None:
    head = "data: {source: iris, target: species}\nendpoint: {name: iris}\nload: {}\n"
    found = line(tmp_path, head + text + "\n")
    assert found.startswith("quarterdeck.yaml: ")
    assert complaint in found


def test_a_slip_in_an_environment_shows_while_working_in_another(tmp_path: Path) -> None:
    text = SMALL.replace("min_accuracy: 0.88", "min_acuracy: 0.88")
    complaint = "quarterdeck.yaml: environments.prod.thresholds.min_acuracy: unknown key; did you mean min_accuracy?"
    assert line(tmp_path, text, env="dev") == complaint


def test_what_is_needed_is_asked_for(tmp_path: Path) -> None:
    said = line(tmp_path, "data: {source: iris}\n")
    assert said == "quarterdeck.yaml: data.target: is needed and not set · endpoint: is needed and not set"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "5\n", "1: x\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    assert line(tmp_path, text).startswith("quarterdeck.yaml: should hold settings by name")


def test_a_section_whose_lines_are_all_comments_is_empty(tmp_path: Path) -> None:
    assert settings(tmp_path, SMALL.replace("train: {n_iter: 7}", "train:\n  # n_iter: 7")).train.n_iter == 20


def test_an_environment_can_switch_a_part_off(tmp_path: Path) -> None:
    text = SMALL.replace("replicas: 1", "autoscaling: null").replace(
        "name: late", "name: late, autoscaling: {min: 1, max: 2, cpu: 50}"
    )
    assert settings(tmp_path, text).endpoint.autoscaling is not None
    assert settings(tmp_path, text, env="dev").endpoint.autoscaling is None


@pytest.mark.parametrize(
    ("variable", "complaint"),
    [
        ("QUARTERDECK_TRAIN__N_ITR", "QUARTERDECK_TRAIN__N_ITR: unknown key; did you mean QUARTERDECK_TRAIN__N_ITER?"),
        ("QUARTERDECK_ENV", "QUARTERDECK_ENV: unknown key"),
        ("QUARTERDECK_TRAIN__N_ITER", "QUARTERDECK_TRAIN__N_ITER: 'x' should be a whole number"),
        ("QUARTERDECK_ENVIRONMENT", "QUARTERDECK_ENVIRONMENT: 'x' is none of dev, staging, prod"),
    ],
)
def test_a_variable_with_our_prefix_is_a_setting_or_refused(variable: str, complaint: str, tmp_path: Path) -> None:
    assert line(tmp_path, **{variable: "x"}) == complaint


def test_the_variable_that_holds_the_key_is_no_setting(tmp_path: Path) -> None:
    text = SMALL.replace("name: late", "name: late, key_env: QUARTERDECK_MY_KEY")
    found = settings(tmp_path, text, QUARTERDECK_MY_KEY="secret", OTHER="x", QUARTERDECK_BUILD_NUMBER="7")
    assert found.endpoint.key_env == "QUARTERDECK_MY_KEY"
    assert "secret" not in found.dump()


def test_a_key_pasted_where_its_variable_is_named_is_not_repeated(tmp_path: Path) -> None:
    complaint = line(tmp_path, SMALL, "endpoint.key_env=sk-12345")
    assert complaint == "--set endpoint.key_env: should be the name of a variable, such as LATE_API_KEY, never the key"


@pytest.mark.parametrize(
    ("flag", "complaint"),
    [
        ("train.n_iter", "--set train.n_iter: write it as key=value, such as train.n_iter=5"),
        ("train.=5", "--set train.=5: write it as key=value, such as train.n_iter=5"),
        ("data.months=[1", "--set data.months: '[1' is not a value; put quotes around text"),
    ],
)
def test_a_flag_that_cannot_be_read_says_how(flag: str, complaint: str, tmp_path: Path) -> None:
    assert line(tmp_path, SMALL, flag) == complaint


def test_flags_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    assert line(tmp_path, SMALL, "train=5", "train.n_iter=6").startswith("--set train.n_iter: train has been given")


def test_an_environment_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert line(tmp_path, env="qa") == "--env: 'qa' is none of dev, staging, prod"


def test_without_a_project_it_says_how_to_begin_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hint = f"no quarterdeck.yaml in {tmp_path}: run 'quarterdeck init DIR --sample flights' or pass --config"
    for config in (None, tmp_path, tmp_path / "quarterdeck.yaml"):
        with pytest.raises(BadInput) as caught:
            load(config)
        assert str(caught.value) == hint
    with pytest.raises(BadInput, match=r"other\.yaml: no such file"):
        load(tmp_path / "other.yaml")


def test_a_folder_is_as_good_as_the_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path, environ={}) == load(environ={}) == load(Path("quarterdeck.yaml"), environ={})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "quarterdeck.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"quarterdeck\.yaml: is not text in UTF-8"):
        load(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(BadInput, match=r"quarterdeck\.yaml: can't be read: Permission denied"):
        load(path)


def test_it_loads_without_the_heavy_libraries() -> None:
    heavy = {"pandas", "numpy", "mlflow", "textual"}
    code = f"import sys, core.config.config, core.config.scaffold; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("", "ui --backend-store-uri 'sqlite:///{folder}/.quarterdeck/mlflow.db'"),
        ("sqlite:////srv/mlflow.db", "ui --backend-store-uri sqlite:////srv/mlflow.db"),
        ("http://user:secret@models.lan:5000/x", "http://models.lan:5000/x"),
        ("https://models.lan", "https://models.lan"),
        ("postgresql://user:secret@db/mlflow", 'ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
    ],
)
def test_the_line_that_opens_the_registry_can_be_pasted_and_holds_no_password(
    tmp_path: Path, address: str, line: str
) -> None:
    folder = tmp_path / "my project"
    folder.mkdir()
    said = mlflow_ui_line(settings(folder), {"MLFLOW_TRACKING_URI": address} if address else {})
    assert said.endswith(line.format(folder=folder))
    assert "secret" not in said


def test_settings_of_another_version_are_read_as_far_as_they_are_known(tmp_path: Path) -> None:
    """A release goes on, and back, after an upgrade."""
    (tmp_path / "quarterdeck.yaml").write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    settings = load(tmp_path / "quarterdeck.yaml")
    values = json.loads(settings.dump())
    values["registry"]["of_tomorrow"] = True
    values["of_tomorrow"] = {"a": [1]}
    assert Settings.from_dump(json.dumps(values)) == settings
    values["train"]["n_iter"] = "many"
    with pytest.raises(Failed, match=r"^its settings are of another version of Quarterdeck: .*; install that one"):
        Settings.from_dump(json.dumps(values))


def test_a_gate_in_percent_of_a_limit_needs_the_limit(tmp_path: Path) -> None:
    gates = "\nrelease:\n  gates: [{metric: memory_percent, limit: 80}]\n"
    said = line(tmp_path, SMALL.replace("{name: late}", "{name: late, memory: null}") + gates)
    assert said == "quarterdeck.yaml: release: gates: memory_percent is in percent of endpoint.memory, which is not set"


def test_what_the_file_locks_no_flag_and_no_variable_unlocks(tmp_path: Path) -> None:
    path = init(tmp_path / "late", "iris")
    path.write_text(path.read_text().replace("environment: prod", "read_only: true\nenvironment: prod"))
    with pytest.raises(BadInput, match="--set read_only: can only be set to true here"):
        load(path, None, ["read_only=false"], environ={})
    with pytest.raises(BadInput, match="QUARTERDECK_READ_ONLY: can only be set to true here"):
        load(path, None, [], environ={"QUARTERDECK_READ_ONLY": "no"})
    assert load(path, None, ["read_only=true"], environ={}).read_only


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "release.retire_after_s=nver",
            "--set release.retire_after_s: 'nver' is not a time; write 90s, 10m, 1.5h or 2d",
        ),
        (
            "release.hold_s=0.5",
            "--set release.hold_s: 0.5 s is too short to judge anything by; at least 1 s, or 0 for none",
        ),
        (
            "release.ab.hold_s=1ms",
            "--set release.ab.hold_s: 0.001 s is too short to judge anything by; at least 1 s, or 0",
        ),
        ("release.hold_s=400d", "--set release.hold_s: 400 d is longer than 366 d, the most"),
        ("release.retire_after_s=-5", "--set release.retire_after_s: -5 should be at least 0"),
        ("release.steps=ten", "--set release.steps: 'ten' should be a whole number"),
        ("release.steps=[10, ten]", "--set release.steps[1]: 'ten' should be a whole number"),
        ("alerts.rules.nosuch=false", "--set alerts.rules.nosuch: 'nosuch' is none of smoke, errors"),
        ("alerts.rules.nosuch={limit: 2}", "--set alerts.rules.nosuch: 'nosuch' is none of smoke, errors"),
    ],
)
def test_a_value_is_blamed_on_whoever_wrote_it_by_the_key_that_they_wrote(
    tmp_path: Path, given: str, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        load(init(tmp_path / "late", "iris"), None, [given], environ={})
    assert str(caught.value).startswith(said)
    assert " · " not in str(caught.value)


def test_what_follows_from_a_value_is_not_told_before_it(tmp_path: Path) -> None:
    """The model is called as the endpoint where nothing else is said, and complains of a name that nobody gave it."""
    with pytest.raises(BadInput, match=r"^--set endpoint.name: '\.\./x' should be small letters"):
        load(init(tmp_path / "late", "iris"), None, ["endpoint.name=../x"], environ={})


def test_a_text_is_read_once_and_whoever_changes_what_it_says_changes_it_for_nobody_else(tmp_path: Path) -> None:
    """Each command asks the file whether it may, in each of its environments, and a key waits for that."""
    path = written(tmp_path, "data: {source: iris, target: species}\nendpoint: {name: iris}\n")
    with mock.patch.object(yaml, "load", wraps=yaml.load) as read:
        first = read_file(path)
        for env in ("dev", "staging", "prod"):
            load(path, env, environ={})
        assert read.call_count == 1
        first["data"]["target"] = "petal"
        assert load(path, environ={}).data.target == "species"
        written(tmp_path, "data: {source: iris, target: species}\nendpoint: {name: other}\n")
        assert load(path, environ={}).endpoint.name == "other"
        assert read.call_count == 2
