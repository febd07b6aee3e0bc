"""Amazon's registry: a token for each push, a repository made where it is missing, errors by their codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.config.settings import Settings
from core.domain.errors import BadInput, Failed, QuarterdeckError, Unreachable
from core.domain.image_reference import parse
from core.images import ecr, push
from core.images.places import login_of, place_of
from tests.images import small
from tests.images.registry import Registry, running
from tests.images.test_push import image

AMAZON = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a shell that is logged in there, and knows no other place."""
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "s3cret-of-amazon",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "DOCKER_CONFIG": str(tmp_path / "none"),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


async def pushed(
    registry: Registry, folder: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[str]]:
    """What came of a push there, by the name that `ECR_REGISTRY` gives it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://{registry.host}")
    environ |= {ecr.REGISTRY: registry.host, ecr.REPOSITORY: "team/late"}
    said: list[str] = []
    place = place_of(small.project(folder), "late", environ=environ)
    layout, made = image(folder / "layout")
    there = await push.push(layout, made, place, login_of(place, said.append, environ), said.append)
    return str(there), said


async def test_a_missing_repository_is_made_and_the_push_goes_on_with_amazons_token(
    tmp_path: Path, amazon: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(Registry("basic", repositories=set())) as registry:
        there, said = await pushed(registry, tmp_path, amazon, monkeypatch)
        assert there.startswith(f"{registry.host}/team/late@sha256:")
        assert said[0] == f"{registry.host}: repository team/late made"
        assert [action for action, _ in registry.amazon] == [
            "GetAuthorizationToken",
            "DescribeRepositories",
            "CreateRepository",
        ]
        registry.amazon.clear()
        _, again = await pushed(registry, tmp_path, amazon, monkeypatch)
        assert again == []
        assert "CreateRepository" not in [action for action, _ in registry.amazon]


async def test_who_may_not_look_may_push_and_who_may_not_make_one_is_told(
    tmp_path: Path, amazon: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Registry("basic", repositories={"team/late"}, denied=frozenset({"DescribeRepositories"}))
    async with running(looks) as registry:
        there, _ = await pushed(registry, tmp_path, amazon, monkeypatch)
        assert there
    makes = Registry("basic", repositories=set(), denied=frozenset({"CreateRepository"}))
    async with running(makes) as registry:
        with pytest.raises(Failed, match=r"has no repository team/late, and it can't be made from here: .* Access"):
            await pushed(registry, tmp_path, amazon, monkeypatch)


async def test_what_amazon_refuses_or_does_not_answer_is_one_line_without_a_key(
    tmp_path: Path, amazon: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(registry: Registry) -> QuarterdeckError:
        with pytest.raises(QuarterdeckError) as error:
            await pushed(registry, tmp_path, amazon, monkeypatch)
        assert "s3cret" not in str(error.value)
        assert "\n" not in str(error.value)
        return error.value

    async with running(Registry("basic", repositories=set(), denied=frozenset({"GetAuthorizationToken"}))) as registry:
        error = await refused(registry)
        assert "Amazon answered AccessDeniedException to get_authorization_token; look at AWS_PROFILE" in str(error)
        registry.denied = frozenset()
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        error = await refused(registry)
        assert isinstance(error, Failed)
        assert "Amazon was not asked (NoCredentialsError); set AWS_PROFILE or AWS_ACCESS_KEY_ID" in str(error)


def test_amazon_away_may_be_asked_again_later(amazon: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"Amazon was not asked \(EndpointConnectionError\); try again later"):
        ecr.prepared(parse(f"{AMAZON}/late"), amazon, lambda _: None)


def test_without_its_sdk_it_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Failed, match=r"its tokens need boto3: pip install 'quarterdeck\[aws\]', or docker login"):
        ecr.prepared(parse(f"{AMAZON}/late"), {}, lambda _: None)


def test_its_sdk_is_loaded_by_nobody_else() -> None:
    code = "import sys, core.images.places, tui.image_command; print('boto3' in sys.modules, 'botocore' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("told", "written", "environ", "means"),
    [
        ("localhost:5000/x", "registry.example.com/late", {"ECR_REGISTRY": AMAZON}, "localhost:5000/x"),
        ("", "registry.example.com/late", {"ECR_REGISTRY": AMAZON}, "registry.example.com/late"),
        ("", None, {"ECR_REGISTRY": AMAZON, "ECR_REPO": "team/late"}, f"{AMAZON}/team/late"),
        ("", None, {"ECR_REGISTRY": AMAZON}, f"{AMAZON}/late-flights"),
    ],
)
def test_where_an_image_goes(
    tmp_path: Path, told: str, written: str | None, environ: dict[str, str], means: str
) -> None:
    assert str(place_of(project(tmp_path, written), "Late Flights", told, environ)) == means


def project(folder: Path, written: str | None) -> Settings:
    return small.project(folder, **({"repository": written} if written else {}))


def test_a_place_that_is_missing_or_holds_a_tag_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"write image.repository: registry.example.com/late into .*, call with --to"):
        place_of(small.project(tmp_path), "late", environ={})
    with pytest.raises(BadInput, match="holds a tag or a digest; a version's tag is its own"):
        place_of(small.project(tmp_path), "late", "registry.example.com/late:v1", {})
    with pytest.raises(BadInput, match=r"image.repository: .* holds a tag or a digest; a version's tag is its own"):
        small.project(tmp_path, repository="registry.example.com/late:v1")
    with pytest.raises(BadInput, match=r"image.base: .*should be small letters"):
        small.project(tmp_path, base="Python")


def test_amazons_hosts_are_known_by_their_names() -> None:
    assert ecr.is_ecr(AMAZON, {})
    assert ecr.is_ecr("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", {})
    assert ecr.is_ecr("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", {})
    assert not ecr.is_ecr("registry.example.com", {})
    assert not ecr.is_ecr(f"{AMAZON}.example.org", {})
