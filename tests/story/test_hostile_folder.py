"""A project's folder may hold files called as modules of Python's, a library's or ours: none is taken for those."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.shop import Shop, quarterdeck

pytestmark = pytest.mark.slow
NAMES = (
    "json",
    "types",
    "random",
    "logging",
    "scoring",
    "mlflow",
    "pandas",
    "numpy",
    "locust",
    "psutil",
    "core",
    "tui",
)
TAKEN = "taken.txt"
TRAP = f"""from pathlib import Path
with Path(__file__).resolve().parents[DEEP].joinpath({TAKEN!r}).open("a") as taken:
    taken.write(__name__ + "\\n")
raise SystemExit("the wrong module was taken: " + __name__)
"""
LOCUSTFILE = """from locust import FastHttpUser, constant, task

import neighbour


class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def predict(self):
        self.client.post("/predict", json=neighbour.ROW)
"""
NEIGHBOUR = 'ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}\n'
QUICK = ("train.n_iter=1", "train.cv_folds=2", "load.users=3", "load.spawn_rate=3", "load.duration_s=2")
FLAGS = tuple(part for one in QUICK for part in ("--set", one))


def lay_traps(folder: Path) -> None:
    """A file of each name and, for packages of ours, a folder too."""
    for name in NAMES:
        if name in {"core", "tui"}:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(TRAP.replace("DEEP", "1"))
        else:
            (folder / f"{name}.py").write_text(TRAP.replace("DEEP", "0"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Irises among traps."""
    shop = Shop(tmp_path_factory.mktemp("hostile") / "iris", "iris", "species", FLAGS)
    assert quarterdeck("init", str(shop.folder), "--sample", "iris", cwd=shop.folder.parent).code == 0
    lay_traps(shop.folder)
    yield shop
    (shop.folder / TAKEN).unlink(missing_ok=True)
    shop.down()


def test_a_release_by_the_real_command_takes_no_module_of_the_folder(shop: Shop) -> None:
    """Trained, registered, deployed, answered and load-tested."""
    told = shop.run("release", *FLAGS)
    assert not (shop.folder / TAKEN).exists(), (shop.folder / TAKEN).read_text()
    assert told.code == 0, told.out + told.err
    with shop.client() as client:
        answer = client.post("/predict", content=NEIGHBOUR.removeprefix("ROW = "))
    assert answer.status_code == 200, answer.text


def test_a_locustfile_still_finds_its_own_neighbours(shop: Shop) -> None:
    """Also those that are called as a package of ours; what it does not import stays unseen."""
    loads = shop.folder / "loads"
    (loads / "core").mkdir(parents=True)
    (loads / "core" / "__init__.py").write_text(NEIGHBOUR)
    (loads / "neighbour.py").write_text("from core import ROW\n")
    (loads / "mine.py").write_text(LOCUSTFILE)
    told = shop.run("load", "--locustfile", str(loads / "mine.py"), *FLAGS)
    assert told.code == 0, told.out + told.err
    assert not (shop.folder / TAKEN).exists(), (shop.folder / TAKEN).read_text()
