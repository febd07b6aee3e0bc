"""Names of images as people write them, and what is refused before a registry is asked."""

import pytest

from core.domain.errors import BadInput
from core.domain.image_reference import Reference, parse, repository_of, tag_of

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("registry.example.com/team/late", Reference("registry.example.com", "team/late")),
        ("registry.example.com:5000/late:v1", Reference("registry.example.com:5000", "late", "v1")),
        (f"localhost:5000/late@{DIGEST}", Reference("localhost:5000", "late", "", DIGEST)),
        (f"localhost/late:v1@{DIGEST}", Reference("localhost", "late", "", DIGEST)),
        ("127.0.0.1:5000/a/b-c/d_e.f:x", Reference("127.0.0.1:5000", "a/b-c/d_e.f", "x")),
        ("[::1]:5000/late", Reference("[::1]:5000", "late")),
        ("python:3.11-slim", Reference("registry-1.docker.io", "library/python", "3.11-slim")),
        ("docker.io/ada/late", Reference("registry-1.docker.io", "ada/late")),
        ("ada/late", Reference("registry-1.docker.io", "ada/late")),
    ],
)
def test_a_name_means_a_place(text: str, means: Reference) -> None:
    assert parse(text) == means
    assert parse(str(means)) == means


@pytest.mark.parametrize(
    "text",
    [
        "", "registry.example.com/", "registry.example.com/Late", "registry.example.com/late:", "a//b",
        "registry.example.com/late:v 1", f"registry.example.com/late:{'x' * 129}",
        "registry.example.com/late@sha256:12",
        "registry.example.com/late@md5:abc", "https://registry.example.com/late", "user:pw@registry.example.com/late",
        "registry.example.com/../late", "registry.example.com/late/", "-x.com/late", "registry.example.com:x/late",
        f"registry.example.com/{'x' * 256}", "registry.example.com/late\n", "registry.example.com/l\u00e4te",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert str(refused.value).startswith("image ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("model", ["late", "Churn Model", "customer_churn_model", "späte Flüge", "--"])
def test_every_model_has_a_tag_that_registries_take(model: str) -> None:
    assert parse(f"registry.example.com/{repository_of(model)[:200]}:{tag_of(model, '12')}").tag == tag_of(model, "12")


def test_names_are_those_that_people_expect() -> None:
    assert tag_of("customer_churn_model", "7") == "customer-churn-model-v7"
    place = parse("registry.example.com/late")
    assert str(place.tagged("late-v3")) == "registry.example.com/late:late-v3"
    assert str(place.pinned(DIGEST)) == f"registry.example.com/late@{DIGEST}"
