"""An endpoint that takes the login's tokens: one is asked for in its scope, anew before it ends, and shown nowhere."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from core.domain.model import Version
from core.targets.azureml.blobs import STORAGE_SCOPE
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.credentials import SPARE_S, AccessToken
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import ROW, AzurePlaceOf
from tests.targets.helpers import two_slots, watching

SCORING, LONG_S = "https://ml.azure.com/.default", 3600.0


class Login:
    """Gives each scope tokens of its own, which end after `seconds`."""

    def __init__(self, azure: AzureStandIn) -> None:
        self.azure = azure
        self.asked: Counter[str] = Counter()
        self.given: dict[str, list[str]] = {}
        self.seconds = LONG_S

    def token(self, scope: str) -> AccessToken:
        """The next one of a scope."""
        self.asked[scope] += 1
        text = self.azure.logins.login("ann@example.com", seconds=self.seconds)
        self.given.setdefault(scope, []).append(text)
        return AccessToken(text, time.time() + self.seconds)


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    place = AzurePlaceOf(azure, tmp_path, auth="aad")
    yield place
    await place.close()


def target_of(place: AzurePlaceOf, login: Login) -> AzureMLTarget:
    made = AzureMLTarget(place.at, place.models, 1, row=lambda _: ROW, source=login.token)
    place.made.append(made)
    return made


async def test_answers_prove_traffic_with_a_token_for_the_scoring_scope_and_no_key_is_asked_for(
    place: AzurePlaceOf,
) -> None:
    login, before = Login(place.azure), len(place.azure.seen)
    target = target_of(place, login)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        assert (await watcher.weight("blue", 100)).proved_by >= 20
        assert login.asked[SCORING] == 1
        address = await target.address("green")
        async with httpx.AsyncClient(headers=address.headers) as client:
            answer = await client.post(f"{address.url}/score", content=ROW)
        assert answer.status_code == 200
        reports = json.dumps([str(one) for one in watcher.reports])
    assert place.azure.do(lambda: place.azure.endpoint(place.name).mode) == "AADToken"
    mine = [one for one in list(place.azure.seen)[before:] if place.name in one.path]
    assert not any("listKeys" in one.path for one in mine)
    tokens = [one for given in login.given.values() for one in given]
    assert not any(token in reports or token in answer.text for token in tokens)
    kept = [path for path in place.folder.rglob("*") if path.is_file()]
    assert not any(token.encode() in path.read_bytes() for token in tokens for path in kept)


async def test_a_token_is_asked_for_anew_before_it_ends_and_where_it_is_refused(place: AzurePlaceOf) -> None:
    login = Login(place.azure)
    target = target_of(place, login)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        address = await target.address("blue")
        async with httpx.AsyncClient(headers=address.headers) as client:

            async def answered() -> int:
                return (await client.post(f"{address.url}/score", content=ROW)).status_code

            assert await answered() == 200
            before = login.asked[SCORING]
            place.azure.logins.end(login.given[SCORING][-1])
            assert await answered() == 200
            assert login.asked[SCORING] == before + 1
    login.seconds = SPARE_S - 10
    near = target_of(place, login)
    async with watching(near) as watcher:
        await watcher.weight("blue", 100)
        await watcher.until(lambda: watcher.slots["blue"].proved_by >= 20)
    # Each was about to end when it was given, so no answer was asked for with one of an earlier answer.
    assert login.asked[SCORING] >= before + 21


async def test_files_go_into_a_store_without_keys_by_the_logins_own_token(place: AzurePlaceOf) -> None:
    login, azure, before = Login(place.azure), place.azure, len(place.azure.seen)
    azure.datastores.credentials = "None"
    try:
        target = target_of(place, login)
        async with watching(target) as watcher:
            await target.apply("blue", Version("late", "771", "run771", "models:/late/771"), 1)
            await watcher.ready("blue", 1)
    finally:
        azure.datastores.credentials = "AccountKey"
    seen = list(azure.seen)[before:]
    assert not any("listSecrets" in one.path for one in seen)
    assert any(one.method == "PUT" and "/LocalUpload/" in one.path and one.status == 201 for one in seen)
    assert login.asked[STORAGE_SCOPE] == 1
