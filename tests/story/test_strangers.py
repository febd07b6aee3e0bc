"""A model that can't be released is refused before a release of it begins."""

import pytest

from tests.story.shop import Shop


@pytest.mark.parametrize(
    ("uri", "why"),
    [("models:/iris/77", "iris has no version 77"), ("iris", "not an address of a model")],
)
def test_what_is_not_there_is_refused_before_a_release_begins(iris: Shop, uri: str, why: str) -> None:
    before = iris.snapshot().releases.keys()
    told = iris.release("--model-uri", uri)
    assert told.code != 0
    assert why in told.out + told.err
    assert iris.snapshot().releases.keys() == before
