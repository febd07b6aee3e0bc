"""What the doctor finds of who changed an endpoint last: this project, another one, or somebody without Quarterdeck."""

from core.domain.diagnosis import Diagnoses, ok, warn
from core.targets.azureml.api_errors import Json
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import DriverClaim, driver_name, newest_claim
from core.targets.azureml.standing import looked_at
from core.targets.azureml.workspace import AzureEndpoint

OTHERS = "call yours otherwise (azureml.name); a release from here changes it, and its makers are not asked"
ONE_MACHINE = "release from one machine: end its watch there ('quarterdeck watch --stop'), or release from here no more"


def driver(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Who changed the endpoint last, and when. Whether another one still drives is not known: Azure keeps no lease."""
    view = looked_at(at, calls)
    if view.body is None:
        return [ok("no endpoint is there, so nobody drives it from any machine")]
    claim, when = newest_claim(view.tagged), _changed(view.body)
    if claim is None:
        return [warn(f"no driver of Quarterdeck has ever changed {at.name}{when}: somebody else made it", OTHERS)]
    if claim.driver == driver_name(at.folder.parent):
        return [ok("no other machine or project has changed this endpoint since this one did")]
    told = f"changed last by {_who(claim)}{when}; whether it still drives is not known, for Azure keeps no sign of life"
    return [warn(told, ONE_MACHINE)]


def _who(claim: DriverClaim) -> str:
    """A machine, and the mark of its project."""
    machine, _, project = claim.driver.rpartition("/")
    return f"another project on {machine or 'a machine without a name'} ({project})"


def _changed(body: Json) -> str:
    """When the endpoint was changed last, to the minute."""
    at = str((body.get("systemData") or {}).get("lastModifiedAt") or "")
    return (
        f" ({at[:16].replace('T', ' ')} UTC)"
        if at.endswith(("Z", "+00:00")) and len(at) > len("2026-11-28T00:00")
        else ""
    )
