"""An image into a registry: only what is missing is sent, who we are is said once, and each refusal is one line."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from core.domain.errors import BadInput, Failed, QuarterdeckError, Unreachable
from core.domain.image_reference import Reference, parse
from core.domain.model import Version
from core.images import image_registry
from core.images.answers import refusal
from core.images.build import manifest_of
from core.images.container import config
from core.images.credentials import TOKEN_USER, Credentials
from core.images.layout import MANIFEST, Layout
from core.images.push import push
from core.images.record import ImageRecord
from core.images.tree import file
from tests.images import docker_registry, small
from tests.images.registry import IDENTITY, PASSWORD, TOKEN, USER, Registry, running

ADA = Credentials(USER, PASSWORD)
pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again without a wait."""
    monkeypatch.setattr(image_registry, "AGAIN_S", 0.0)


def image(folder: Path, more: bytes = b"") -> tuple[Layout, ImageRecord]:
    """An image of two small layers."""
    layout = Layout(folder)
    with layout.writing():
        layers = {"code": layout.pack(small.TREE), "model": layout.pack({"model/model.json": file(b"{}" + more)})}
        manifest = manifest_of(layout, small.V3, layers)
        layout.name("late-v3", manifest)
    return layout, ImageRecord("late", "3", manifest.digest, "late-v3", "quarterdeck", 1, 1)


async def pushed(
    registry: Registry, folder: Path, who: Callable[[], Credentials | None] = lambda: None, more: bytes = b""
) -> tuple[Reference, list[str]]:
    said: list[str] = []
    layout, made = image(folder, more)
    return await push(layout, made, parse(f"{registry.host}/team/late"), who, said.append), said


async def refused(
    registry: Registry, folder: Path, who: Callable[[], Credentials | None] = lambda: None
) -> QuarterdeckError:
    with pytest.raises(QuarterdeckError) as error:
        await pushed(registry, folder, who)
    assert "\n" not in str(error.value)
    for secret in (PASSWORD, TOKEN, IDENTITY, ADA.basic.partition(" ")[2]):
        assert secret not in str(error.value)
    return error.value


async def test_all_of_an_image_comes_there_and_only_what_is_new_the_next_time(tmp_path: Path) -> None:
    async with running(Registry()) as registry:
        there, said = await pushed(registry, tmp_path)
        layout, made = image(tmp_path)
        assert str(there) == f"{registry.host}/team/late@{made.digest}"
        assert registry.manifests["late-v3"] == layout.read(made.digest)
        assert [line.partition(": ")[2] for line in said] == ["sent", "sent", "sent"]
        assert registry.count("PUT", "/blobs/") == len(registry.blobs) == 3
        _, again = await pushed(registry, tmp_path)
        assert again == []
        assert registry.count("PUT") == 4
        _, said = await pushed(registry, tmp_path, more=b" ")
    assert said[0].startswith(f"{registry.host}/team/late:late-v3 was {made.digest}, and is another image from now on")
    assert [line.partition(": ")[2] for line in said[1:]] == ["is there already", "sent", "sent"]


@pytest.mark.parametrize("who", [ADA, Credentials(TOKEN_USER, IDENTITY, identity=True)])
async def test_a_token_is_had_for_this_repository_alone_and_once(tmp_path: Path, who: Credentials) -> None:
    async with running(Registry("bearer")) as registry:
        registry.realm = f"http://{registry.host}/token?kind=its own"
        await pushed(registry, tmp_path, lambda: who)
    (login,) = registry.logins
    assert login["kind"] == "its own"
    assert (login["service"], login["scope"]) == ("here", "repository:team/late:pull,push")
    assert registry.manifests


async def test_a_password_is_said_where_one_is_asked_for(tmp_path: Path) -> None:
    async with running(Registry("basic")) as registry:
        await pushed(registry, tmp_path, lambda: ADA)
    assert registry.manifests


async def test_a_token_that_gets_too_old_meanwhile_is_had_anew(tmp_path: Path) -> None:
    async with running(Registry("bearer")) as registry:

        def who() -> Credentials:
            registry.token = f"{TOKEN}-{len(registry.logins)}"
            return ADA

        await pushed(registry, tmp_path, who)
        registry.token = "another"
        await pushed(registry, tmp_path, who, more=b" ")
    assert len(registry.logins) == 2


@pytest.mark.parametrize("login", ["basic", "bearer"])
async def test_a_login_that_is_not_taken_and_one_that_is_not_there_are_told_apart(tmp_path: Path, login: str) -> None:
    async with running(Registry(login)) as registry:  # type: ignore[arg-type]
        wrong = await refused(registry, tmp_path, lambda: Credentials(USER, "wrong"))
        assert f"{registry.host}: does not take the login that is known here (401): docker login" in str(wrong)
        none = await refused(registry, tmp_path)
        assert f"{registry.host}: wants to know who pushes (401), and no login of it is known here" in str(none)
    assert registry.blobs == {}


async def test_who_may_not_push_hears_it_in_a_line(tmp_path: Path) -> None:
    async with running(Registry("basic", pushers=frozenset())) as registry:
        error = await refused(registry, tmp_path, lambda: ADA)
    assert f"{registry.host}: this login may not push to team/late (403) (it says: DENIED requested access" in str(
        error
    )


async def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with running(Registry(repositories=set())) as registry:
        error = await refused(registry, tmp_path)
    assert f"{registry.host}: has no repository team/late (404); make it first (it says: NAME_UNKNOWN" in str(error)


def test_a_reason_that_repeats_what_we_said_is_left_out() -> None:
    place = parse("registry.example.com/late")
    for words, kept in (("not allowed", True), (f"not {PASSWORD}", False), (f"bad token {TOKEN}", False)):
        answer = httpx.Response(403, json={"errors": [{"code": "DENIED", "message": words}]})
        assert ("it says: DENIED" in str(refusal(place, answer, ADA, f"Bearer {TOKEN}"))) == kept
    for odd in (b"", b"<html>", b"[]", b'{"errors": []}', b'{"errors": {"0": 1}}', b'{"errors": ["x"]}'):
        said = str(refusal(place, httpx.Response(403, content=odd), ADA, ""))
        assert said == "registry.example.com: this login may not push to late (403)"


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_what_fails_once_is_asked_again_and_what_fails_on_ends_in_a_line(tmp_path: Path, status: int) -> None:
    places = [("POST", "uploads"), ("PUT", "uploads"), ("HEAD", "blobs"), ("PUT", "manifests"), ("HEAD", "manifests")]
    async with running(Registry(faults=[(*place, status) for place in places])) as registry:
        await pushed(registry, tmp_path)
        assert registry.faults == []
        assert len(registry.blobs) == 3
        registry.faults = [("POST", "uploads", status)] * 3
        registry.blobs.clear()
        registry.manifests.clear()
        error = await refused(registry, tmp_path)
    assert isinstance(error, Unreachable)
    assert str(error).startswith(f"{registry.host}: ")
    assert registry.manifests == {}


async def test_nobody_there_is_one_line_after_some_tries(tmp_path: Path) -> None:
    async with running(Registry()) as registry:
        host = registry.host
    error = await refused(Registry(host=host), tmp_path)
    assert str(error) == f"{host}: can't be reached (ConnectError); is the address right?"


async def test_a_manifest_that_is_not_there_after_the_push_is_no_success(tmp_path: Path) -> None:
    async with running(Registry(forgets=True)) as registry:
        error = await refused(registry, tmp_path)
    assert f"{registry.host}: late-v3 is not there after the push, not sha256:" in str(error)


async def test_a_blob_that_was_changed_here_is_not_taken(tmp_path: Path) -> None:
    layout, made = image(tmp_path)
    for path in (tmp_path / "blobs" / "sha256").iterdir():
        if path.read_bytes()[:2] == b"\x1f\x8b":
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    async with running(Registry()) as registry:
        with pytest.raises(Failed, match=r"answered 400 and did not take team/late \(it says: DIGEST_INVALID"):
            await push(layout, made, parse(f"{registry.host}/team/late"), lambda: None, lambda _: None)
    assert registry.manifests == {}


async def test_a_place_to_log_in_that_others_can_listen_to_gets_nothing(tmp_path: Path) -> None:
    async with running(Registry("bearer", realm="http://login.example.com/token")) as registry:
        error = await refused(registry, tmp_path, lambda: ADA)
    assert "sends us to http://login.example.com/token to log in, which is not https; nothing" in str(error)


async def test_an_image_that_is_gone_says_how_it_is_made_again(tmp_path: Path) -> None:
    layout, made = image(tmp_path)
    (tmp_path / "index.json").unlink()
    with pytest.raises(BadInput, match=r"the image of v3 is gone from .*: quarterdeck image build 3"):
        await push(layout, made, parse("127.0.0.1:1/late"), lambda: None, lambda _: None)


def test_what_an_image_is_told_can_be_any_name() -> None:
    told = config(Version("--registry=x y", "3"), {})["config"]["Cmd"]
    assert "--model=--registry=x y" in told


@pytest.mark.skipif(docker_registry.PROGRAM is None, reason="docker-registry is not installed")
def test_a_registry_of_others_takes_it_and_gives_it_back(tmp_path: Path) -> None:
    layout, made = image(tmp_path / "layout")
    with docker_registry.running(tmp_path) as host:
        place = parse(f"{host}/team/late")
        for _ in range(2):
            there = asyncio.run(push(layout, made, place, lambda: None, lambda _: None))
        accept = {"accept": MANIFEST}
        got = httpx.get(f"http://{host}/v2/team/late/manifests/{there.digest}", headers=accept, trust_env=False)
        blobs = [each["digest"] for each in (*got.json()["layers"], got.json()["config"])]
        found = [httpx.get(f"http://{host}/v2/team/late/blobs/{each}", trust_env=False).content for each in blobs]
    assert got.content == layout.read(made.digest)
    assert found == [layout.path(each).read_bytes() for each in blobs]
