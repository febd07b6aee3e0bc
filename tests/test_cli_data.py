"""Whatever is wrong with what a release is given, it ends in one line and an exit code, and nothing is lost."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.shop import Shop, quarterdeck

ROWS = "".join(f"{number}.5,{number % 7},{'ab'[number % 2]}\n" for number in range(60))
GIVEN = {
    "one.csv": "size,place,kind\n" + ROWS.replace(",b", ",a"),
    "other.csv": "size,place,sort\n" + ROWS,
}
"""Files of rows, each with one thing wrong."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project that never released; what its releases began goes with it."""
    home = tmp_path_factory.mktemp("given")
    (home / "rows.csv").write_text("size,place,kind\n" + ROWS)
    for name, text in GIVEN.items():
        (home / name).write_text(text)
    told = quarterdeck("init", "shop", "--data", "rows.csv", "--target", "kind", cwd=home)
    assert told.code == 0
    shop = Shop(home / "shop", "rows", "kind")
    yield shop
    shop.down()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "train.n_itr=3"), "--set train.n_itr: unknown key; did you mean n_iter?"),
        (("--set", "train.n_iter=three"), "--set train.n_iter: 'three' should be a whole number"),
        (("--env", "production"), "--env: 'production' is none of dev, staging, prod"),
        (("--skip", "trian"), "--skip trian: only train, check, deploy, load can be skipped; did you mean train?"),
        (("--input-data", "nowhere.csv"), "--input-data nowhere.csv: no such file"),
        (("--config", "nowhere.yaml"), "nowhere.yaml: no such file; name a quarterdeck.yaml"),
    ],
)
def test_a_slip_in_a_flag_ends_with_2_before_anything_begins(shop: Shop, arguments: tuple[str, ...], says: str) -> None:
    told = shop.run("release", *arguments)
    assert (told.code, told.out, told.error) == (2, "", f"error: {says}")


def test_a_folder_without_a_project_is_one_line(tmp_path: Path) -> None:
    told = quarterdeck("release", cwd=tmp_path)
    assert told.code == 2
    assert told.error.startswith(f"error: no quarterdeck.yaml in {tmp_path}: run 'quarterdeck init")


def test_what_is_to_be_typed_next_can_be_typed(tmp_path: Path) -> None:
    """Also where the folder's name has blanks and quotes in it."""
    told = quarterdeck("init", "late 'flights", "--sample", "iris", cwd=tmp_path)
    (line,) = [line for line in told.lines if "; next: " in line]
    assert shlex.split(line.rpartition("; next: ")[2])[:3] == ["cd", "late 'flights", "&&"]


def test_a_slip_in_the_file_names_file_key_and_the_nearest_right_one(shop: Shop, tmp_path: Path) -> None:
    text = (shop.folder / "quarterdeck.yaml").read_text()
    (tmp_path / "quarterdeck.yaml").write_text(text.replace("  cv_folds:", "  cv_fold:"))
    told = quarterdeck("release", cwd=tmp_path)
    assert (told.code, told.error) == (2, "error: quarterdeck.yaml: train.cv_fold: unknown key; did you mean cv_folds?")


def test_rows_that_no_model_can_learn_from_end_with_2_and_one_reason(shop: Shop) -> None:
    cases = {
        "one.csv": "data.target: kind is 'a' in every row; two different labels are needed",
        "other.csv": "data.target: other.csv has no column 'kind'; it has size, place, sort",
    }
    # One after the other: a project releases one version at a time.
    for name, why in cases.items():
        told = shop.release("--input-data", str(shop.folder.parent / name))
        assert (told.code, told.err) == (2, "")
        (line,) = [line for line in told.lines if line.startswith("failed: ")]
        assert why in line
        assert told.out.count(why) <= 2
    snapshot = shop.snapshot()
    assert [release.outcome for release in snapshot.releases.values()] == ["failed"] * len(cases)
    assert snapshot.endpoint("rows-dev").serving is None
