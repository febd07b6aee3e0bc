"""With every terminal closed: a version that dies after its release; the watch alone finds it, goes back and tells."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.state import events as ev
from core.state.alert import AlertState
from core.state.snapshot import Snapshot
from tests.notify.receivers import http_receiver, smtp_receiver
from tests.story.conftest import QUICK
from tests.story.roles import MARK, by_role, kill, marked, of_slot
from tests.story.shop import Shop, quarterdeck

ALERTS = """
alerts:
  look_s: 0.5
  rules:
    availability: {{for_s: 2, window_s: 2, at_least: 5}}
    availability-lasting: {{for_s: 600}}
  receivers:
    ops: {{kind: webhook, url_env: OPS_HOOK}}
    mail: {{kind: email, host: 127.0.0.1, port: {port}, ca: {ca}, sender: deck@example.org, to: [ops@example.org]}}
    tickets: {{kind: github, repository: team/late, token_env: GITHUB_TOKEN_X, url: "{url}"}}
"""
DEADLINE_S = 60.0


async def seen(shop: Shop, true: Callable[[Snapshot], object]) -> Snapshot:
    """The first state of which something is true, read from the journal as anybody may."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            snapshot = await asyncio.to_thread(shop.snapshot)
            if true(snapshot):
                return snapshot
            await asyncio.sleep(0.2)


@pytest.mark.long
async def test_a_version_that_dies_after_its_release_is_gone_back_from_with_nobody_there(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "iris", "iris", "species", (*QUICK, "--set", "train.n_iter=2"))
    async with http_receiver() as hook, smtp_receiver(tmp_path) as mail:
        told = await asyncio.to_thread(quarterdeck, "init", str(shop.folder), "--sample", "iris", cwd=tmp_path)
        assert told.code == 0, told.err
        path = shop.folder / "quarterdeck.yaml"
        path.write_text(path.read_text() + ALERTS.format(port=mail.port, ca=mail.ca, url=hook.url))
        variables = {"OPS_HOOK": f"{hook.url}/hook", "GITHUB_TOKEN_X": "s3cret-token", MARK: str(shop.folder)}
        try:
            for _ in range(2):
                released = await asyncio.to_thread(shop.release, "--env", "dev", env=variables)
                assert released.code == 0, released.out + released.err
            await _dies(shop)
            name = shop.endpoint("dev")
            snapshot = await seen(shop, lambda s: _outcome(s, name) is ev.Outcome.ROLLED_BACK)
            back = snapshot.release_of(name)
            assert back is not None
            assert back.reason.startswith("availability: no replica is ready")
            snapshot = await seen(shop, lambda s: not s.endpoint(name).untold)
            assert snapshot.endpoint(name).alerts["availability"].did.startswith("goes back at once")
            with shop.client("dev") as client:
                answer = await asyncio.to_thread(client.get, "/health")
            assert answer.headers["x-model-version"] == "1"
            await seen(shop, lambda s: s.endpoint(name).alerts["availability"].state is AlertState.RESOLVED)
            await seen(shop, lambda s: not s.endpoint(name).untold)
            listed = await asyncio.to_thread(shop.run, "alerts", "--env", "dev", "--json")
            states = {row["rule"]: row["state"] for row in json.loads(listed.out)["rules"]}
            assert states["availability"] == "quiet"
            tried = await asyncio.to_thread(shop.run, "alerts", "--test", "--env", "dev", env=variables)
            assert tried.code == 0, tried.out
        finally:
            await asyncio.to_thread(shop.down)
    titles = [got.body["title"] for got in hook.got if got.path == "/hook"]
    about = [title.split()[-1] for title in titles if "availability" in title]
    assert about == ["fired", "acted", "resolved"]
    assert [title for title in titles if "release" in title].count(f"{name}: release is done") == 2
    assert any("availability fired" in letter for letter in mail.got)
    assert mail.encrypted
    assert [one.body["title"] for one in hook.got if one.path != "/hook"] == [f"{name}: a test"]
    (incident,) = (shop.folder / ".quarterdeck" / "incidents").iterdir()
    assert "no replica is ready" in incident.read_text()
    kept = b"".join(
        one.read_bytes() for one in shop.folder.rglob("*") if one.is_file() and one.suffix in (".db", ".log")
    )
    assert b"s3cret-token" not in kept
    assert f"{hook.url}/hook".encode() not in kept


def _outcome(snapshot: Snapshot, endpoint: str) -> ev.Outcome | None:
    release = snapshot.release_of(endpoint)
    return release.outcome if release is not None else None


async def _dies(shop: Shop) -> None:
    """The newest version's files go, and all that runs of it: it can't come back."""
    snapshot = shop.snapshot()
    release = snapshot.release_of(shop.endpoint("dev"))
    assert release is not None
    assert release.version is not None
    assert release.slot is not None
    models = shop.folder / ".quarterdeck" / "models"
    shutil.rmtree(models / f"{release.version.model}-{release.version.number}")
    roles = by_role(marked(str(shop.folder)))
    for process in of_slot(roles["zygote"], release.slot):
        kill(process)
