"""Azure ML as one kind of place: an endpoint is a managed online endpoint of a workspace; what is done to it whole."""

import asyncio
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.config.config import endpoint_name, state_folder
from core.config.settings import Settings
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable
from core.domain.model import Version
from core.domain.plan import Plan
from core.system.aside import aside
from core.targets.azureml import beforehand, doctor
from core.targets.azureml.api_errors import WorkspaceMissing
from core.targets.azureml.autoscale_bodies import check
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.names import ci_run
from core.targets.azureml.standing import (
    assumed,
    changed_elsewhere,
    costs_of,
    driven_elsewhere,
    lines_of,
    looked_at,
    slots_in,
    taken_down,
)
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.targets.kinds import Models, Note, Standing
from core.targets.protocol import Target

NAME = "azureml"


class AzureMLKind:
    """Endpoints in a workspace of Azure Machine Learning."""

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """The endpoint's target; raises BadInput for what can't work. A version's files are fetched where needed."""
        if not _installed():
            raise BadInput("target azureml needs a package more: pip install 'quarterdeck[azure]'")
        at, folder = azure_endpoint(settings, environ), state_folder(settings) / "models"
        check(at)
        at = replace(at, run=ci_run(os.environ if environ is None else environ))

        def row(version: Version) -> bytes:
            return example_row(folder, version)

        return lambda token: AzureMLTarget(at, models, token, row=row, environ=environ)

    def key(self, settings: Settings, endpoint: str) -> str:
        """Azure makes the key; it is read with the login where it is needed, and known to nobody here."""
        return ""

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """What stands at each endpoint; where its workspace can't be asked, why."""
        found = await asyncio.gather(*(_bounded(azure_endpoint(one)) for one in settings))
        return [one for one in found if one is not None]

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """The endpoint goes with all that costs money there; models, environments and code stay, which cost hardly any.

        False where there is nothing.
        """
        if endpoint_name(settings) != endpoint:
            raise Refused(f"{endpoint}: no environment is called so any more, so nobody knows its workspace")
        at = azure_endpoint(settings)
        calls = _calls(at)
        try:
            return await aside(lambda: taken_down(at, calls), "azureml down")
        except WorkspaceMissing:
            return False
        finally:
            calls.close()

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """The package stands in the deployments' code there, which this machine's package does not change."""
        raise Refused(f"{endpoint}: on Azure ML new processes come with a new deployment; release the version again")

    async def beforehand(self, settings: Settings, plan: Plan) -> Sequence[str]:
        """What Azure would refuse of a plan that deploys."""
        if not (instances := beforehand.instances_of(plan)):
            return ()
        return await _asked(settings, partial(beforehand.refusals, instances=instances))

    async def training_beforehand(self, settings: Settings) -> Sequence[str]:
        """Why no job could train there."""
        return await _asked(settings, beforehand.training_refusals)

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """What Azure says of each endpoint's place."""
        return doctor.examinations(settings)


async def _asked(settings: Settings, look: Callable[[AzureEndpoint, AzureCalls], Iterator[str]]) -> Sequence[str]:
    """What a look finds within its time; raises Unreachable."""
    at = azure_endpoint(settings)
    calls, within_s = _calls(at), beforehand.WITHIN_S
    try:
        async with asyncio.timeout(within_s):
            return await aside(lambda: list(look(at, calls)), "azureml beforehand")
    except TimeoutError:
        raise Unreachable(f"azureml {at.place.workspace}: no answer within {within_s:g} s") from None
    finally:
        calls.close()


def example_row(folder: Path, version: Version) -> bytes:
    """A body that a version can answer, from its own folder; empty where it does not lie here."""
    try:
        about = json.loads((folder / f"{version.model}-{version.number}" / "model.json").read_bytes())
    except (OSError, ValueError):
        return b""
    example = about.get("example") if isinstance(about, dict) else None
    return json.dumps({"dataframe_records": [example]}).encode() if isinstance(example, dict) else b""


def _installed() -> bool:
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


def _calls(at: AzureEndpoint) -> AzureCalls:
    return AzureCalls(at.place, AzureLogin(at.place), at.ca)


async def _bounded(at: AzureEndpoint) -> Standing | None:
    try:
        async with asyncio.timeout(beforehand.WITHIN_S):
            return await aside(partial(_standing, at), "azureml status")
    except TimeoutError:
        return _unknown(at, f"azureml {at.place.workspace}: no answer within {beforehand.WITHIN_S:g} s")


def _unknown(at: AzureEndpoint, why: str) -> Standing:
    return Standing(at.called, NAME, (), (f"azure    {at.place.where}: {why}",), unknown=why)


def _standing(at: AzureEndpoint) -> Standing | None:
    # Whoever looks once waits for no call as long as a driver does.
    quick = at.place.model_copy(update={"call_s": min(at.place.call_s, beforehand.LOOK_S)})
    calls = _calls(replace(at, place=quick))
    try:
        view = looked_at(at, calls)
        costs = costs_of(at, calls, view)
        if view.body is None and not costs:
            return None
        lines, refuses = tuple(lines_of(at, calls, view)), changed_elsewhere(at, view)
        driver = driven_elsewhere(at, view)
        slots = slots_in(at, view)
        return Standing(at.called, NAME, slots, lines, costs, refuses=refuses, driver=driver, assumed=assumed(at, view))
    except WorkspaceMissing as error:
        return Standing(at.called, NAME, (), (f"azure    {at.place.where}: {error}",))
    except QuarterdeckError as error:
        return _unknown(at, str(error))
    finally:
        calls.close()


KIND = AzureMLKind()
