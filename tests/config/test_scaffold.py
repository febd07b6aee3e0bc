"""A new project: what is written is a project that loads, and nothing that was there is lost."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from core.config.config import ENVIRONMENTS, endpoint_name, load
from core.config.scaffold import init
from core.config.settings import SAMPLES
from core.domain.errors import BadInput, Refused

ID = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_is_a_project_in_every_environment(sample: str, env: str, tmp_path: Path) -> None:
    settings = load(init(tmp_path / "a" / "b", sample), env, environ={})
    assert settings.data.source == sample
    assert settings.folder == tmp_path / "a" / "b"


@pytest.mark.parametrize(
    ("sample", "endpoint"), [("flights", "late"), ("iris", "iris"), ("support-tickets", "support-tickets")]
)
def test_a_bare_release_of_a_sample_goes_to_production(sample: str, endpoint: str, tmp_path: Path) -> None:
    settings = load(init(tmp_path, sample), environ={})
    assert (endpoint_name(settings), settings.production) == (endpoint, True)


@pytest.mark.parametrize("sample", [*SAMPLES, "own", "cluster"])
def test_a_template_is_short_and_explains_itself(sample: str) -> None:
    text = (files("core") / f"work/samples/{sample}.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 120
    assert sum("#" in line for line in lines) >= len(lines) // 3


def test_what_a_project_makes_by_itself_is_not_for_git(tmp_path: Path) -> None:
    init(tmp_path, "iris")
    assert (tmp_path / ".gitignore").read_text() == ".quarterdeck/\nruns/\n"


def test_a_gitignore_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    init(tmp_path, "iris")
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_a_project_that_is_there_stays(tmp_path: Path) -> None:
    path = init(tmp_path, "iris")
    path.write_text("mine")
    with pytest.raises(Refused, match="is already there; choose another folder or edit it"):
        init(tmp_path, "flights")
    assert path.read_text() == "mine"


def test_rows_of_ones_own_make_a_project_in_dev(tmp_path: Path) -> None:
    rows = tmp_path / "Loan book 2024.csv"
    rows.write_text("a,default\n1,0\n")
    settings = load(init(tmp_path / "loans", data=rows, target="default"), environ={})
    assert (settings.data.source, settings.data.target) == (str(rows), "default")
    assert endpoint_name(settings) == "loan-book-2024-dev"


def test_rows_inside_the_project_are_named_from_there(tmp_path: Path) -> None:
    rows = tmp_path / "rows" / "a.parquet"
    rows.parent.mkdir()
    rows.touch()
    settings = load(init(tmp_path, data=rows, target="y"), environ={})
    assert settings.data.source == "rows/a.parquet"
    assert settings.endpoint.name == "a"


@pytest.mark.parametrize("target", ["y", "on", "null", "7", "a: b", "# no", 'say "yes"', "größe", "two words", "1e3"])
def test_any_name_of_a_column_survives_yaml(target: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert load(init(tmp_path, data=tmp_path / "a.csv", target=target), environ={}).data.target == target


@pytest.mark.parametrize("file", ["2024.csv", "___.csv", "-a-.csv", f"{'long-' * 12}.csv"])
def test_any_name_of_a_file_makes_a_name_of_an_endpoint(file: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    assert load(init(tmp_path, data=tmp_path / file, target="y"), environ={}).endpoint.name


def test_the_target_is_asked_for_with_the_columns_to_choose_from(tmp_path: Path) -> None:
    rows = tmp_path / "a.csv"
    rows.write_text("age,city,left\n")
    with pytest.raises(BadInput, match=r"--target: say which column of a\.csv the model predicts: age, city, left"):
        init(tmp_path, data=rows)
    other = tmp_path / "a.parquet"
    other.touch()
    with pytest.raises(BadInput, match=r"a\.parquet the model predicts$"):
        init(tmp_path, data=other)


@pytest.mark.parametrize(
    ("sample", "complaint"),
    [
        ("flihgts", "--sample: 'flihgts' is no sample; one of flights, iris, support-tickets; did you mean flights?"),
        ("zebra", "--sample: 'zebra' is no sample; one of flights, iris, support-tickets"),
        (None, "--sample: no sample is named; one of flights, iris, support-tickets"),
    ],
)
def test_a_sample_that_does_not_exist_is_refused(sample: str | None, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        init(tmp_path / "new", sample)
    assert str(caught.value) == complaint
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("target", "cluster", "complaint"),
    [
        (None, "prod-eu", "--kubernetes prod-eu: write CONTEXT/NAMESPACE, the context as your kubeconfig names it"),
        (None, "/models", "--kubernetes /models: write CONTEXT/NAMESPACE"),
        (None, "prod/ ", "--kubernetes prod/ : write CONTEXT/NAMESPACE"),
        ("kubernetes", None, "--target kubernetes: is the column of --data to predict; a cluster is named by --kuber"),
    ],
)
def test_a_cluster_that_is_named_otherwise_is_refused(
    target: str | None, cluster: str | None, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        init(tmp_path / "new", "flights", target=target, cluster=cluster)
    assert str(caught.value).startswith(complaint)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("cluster", "workspace", "complaint"),
    [
        (None, "rg/ws", "--azureml rg/ws: write SUBSCRIPTION/GROUP/WORKSPACE"),
        (None, "0000//ws", "--azureml 0000//ws: write SUBSCRIPTION/GROUP/WORKSPACE"),
        (None, "0000/rg/ws", "--azureml 0000/rg/ws: write SUBSCRIPTION/GROUP/WORKSPACE, the first by its id"),
        ("prod-eu/models", f"{ID}/rg/ws", "--kubernetes, --azureml: one of them"),
    ],
)
def test_a_workspace_that_is_named_otherwise_is_refused(
    cluster: str | None, workspace: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        init(tmp_path / "new", "flights", cluster=cluster, workspace=workspace)
    assert str(caught.value).startswith(complaint)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("sample", ["flights", "iris", "support-tickets"])
@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_a_project_of_a_workspace_can_be_read_as_it_stands(sample: str, env: str, tmp_path: Path) -> None:
    path = init(tmp_path, sample, workspace=f"{ID}/my-group/ws")
    assert load(path, env, environ={}).where == "azureml 00000000/my-group/ws"
    assert "percent of the 500m" not in path.read_text()


def test_a_context_of_any_name_survives_yaml(tmp_path: Path) -> None:
    path = init(tmp_path, "iris", cluster='a: "b" # c/models')
    assert load(path, environ={}).where == 'kubernetes a: "b" # c/models'


def test_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.csv: no such file"):
        init(tmp_path, data=tmp_path / "gone.csv", target="y")


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(BadInput, match="x: is a file, not a folder"):
        init(tmp_path / "x", "iris")
    with pytest.raises(BadInput, match="can't be written: Not a directory"):
        init(tmp_path / "x" / "y", "iris")


def test_a_disk_that_is_full_leaves_no_half_project(tmp_path: Path) -> None:
    # A limit on the size of files is the nearest thing to a full disk that needs no root.
    code = f"""
import resource, signal
from pathlib import Path
from core.config.scaffold import init
from core.domain.errors import BadInput
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    init(Path({str(tmp_path)!r}), "iris")
except BadInput as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "can't be written: File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []
