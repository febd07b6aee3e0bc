"""The address on this machine from which requests go to Azure: its health names the version that has the traffic."""

import json

import httpx

from core.doctor.served import answers
from core.domain.diagnosis import Condition
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import ONE, TWO, two_slots, watching


async def test_the_doctor_finds_the_version_that_serves_at_the_address(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        here, green = await target.address(), await target.address("green")
        (serves,) = await answers(here.url, ONE)
        assert (serves.condition, serves.text) == (Condition.OK, f"{here.url} answers as v1")
        (other,) = await answers(here.url, TWO)
        assert other.condition is Condition.WARN
        async with httpx.AsyncClient(trust_env=False) as client:
            pinned = await client.get(f"{green.url}/health", headers=dict(green.headers))
        assert (pinned.headers["x-model-version"], json.loads(pinned.content)) == ("2", {"status": "ok"})
