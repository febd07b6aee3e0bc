"""What `quarterdeck azure setup` makes: the workspace with what it stands on, and the compute cluster. Nothing twice.

What is there already is left as it is, whoever made it. Each is asked for by a PUT of its own, which may come again.
"""

import hashlib
import re
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.domain.errors import Failed, QuarterdeckError
from core.targets.azureml.api_errors import AzureMissing, Json, WorkspaceMissing
from core.targets.azureml.autoscale_bodies import OWNER
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.costs import cost_line
from core.targets.azureml.workspace import COMPUTE_API, WORKSPACE_API, AzureEndpoint

GROUP_API, STORAGE_API, VAULT_API = "2021-04-01", "2023-05-01", "2023-07-01"
MADE_WITHIN_S = 900.0
BROKEN, READY = frozenset({"Failed", "Canceled"}), frozenset({"Succeeded", "RegisteringDns"})
FEW = "some cents a month for what lies there"


@dataclass(frozen=True, slots=True)
class AzurePiece:
    """One thing to be made: where, of what, and what it costs in words."""

    what: str
    path: str
    api: str
    body: Json
    cost: str


def missing(at: AzureEndpoint, calls: AzureCalls, region: str) -> list[AzurePiece]:
    """What is not there yet, in the order to make it in; raises QuarterdeckError.

    Without a `region` a missing group can't be made, and everything else goes where the group is.
    """
    group = _read(calls, group_path(at), GROUP_API)
    where = region or str((group or {}).get("location") or "")
    pieces = [*_group(at, where)] if group is None else []
    workspace = _standing(at, calls, at.workspace, WORKSPACE_API) if group is not None else None
    if workspace is None:
        pieces += [
            one
            for one in _beneath(at, calls, where)
            if group is None or _standing(at, calls, one.path, one.api) is None
        ]
        pieces.append(_workspace(at, where))
    else:
        where = str(workspace.get("location") or where)
    if workspace is None or _standing(at, calls, cluster_path(at), COMPUTE_API) is None:
        pieces.append(_cluster(at, where))
    if pieces and not where:
        raise Failed(f"{at.place.where}: there is no such group, so nobody knows where to make it; say --region NAME")
    return pieces


def made(at: AzureEndpoint, calls: AzureCalls, piece: AzurePiece) -> float:
    """Make it and wait until it is ready; the seconds that took. Raises QuarterdeckError.

    What is being made already is waited for alone: asked for again meanwhile it would be refused.
    """
    begun_s = time.monotonic()
    found = _read(calls, piece.path, piece.api)
    if found is None or _state(found) in BROKEN:
        calls.ask("PUT", piece.path, piece.api, piece.body)
    while True:
        body = calls.ask("GET", piece.path, piece.api).body
        state = _state(body)
        took_s = time.monotonic() - begun_s
        if state in READY:
            return took_s
        if state in BROKEN:
            errors = (body.get("properties") or {}).get("provisioningErrors") or [{}]
            said = str((errors[0].get("error") or {}).get("message") or "Azure does not say why")
            raise Failed(f"{piece.what}: it could not be made: {said}")
        if took_s > MADE_WITHIN_S:
            raise Failed(f"{piece.what}: it is {state} for {took_s:.0f} s; call 'quarterdeck azure setup' again later")
        time.sleep(at.place.poll_s)


def stands(calls: AzureCalls, piece: AzurePiece) -> bool:
    """Whether it is there, in whatever state; where nobody answers it may be."""
    try:
        return _read(calls, piece.path, piece.api) is not None
    except QuarterdeckError:
        return True


def removal(at: AzureEndpoint, pieces: Sequence[AzurePiece]) -> str:
    """What to type that takes these pieces away. With a group that was made for them all of it goes."""
    if any(piece.path == group_path(at) for piece in pieces):
        return f"az group delete --name {at.place.resource_group} --subscription {at.place.subscription}"
    return f"az resource delete --ids {' '.join(shlex.quote(piece.path) for piece in reversed(pieces))}"


def group_path(at: AzureEndpoint) -> str:
    """The path of the group."""
    return f"/subscriptions/{at.place.subscription}/resourceGroups/{at.place.resource_group}"


def cluster_path(at: AzureEndpoint) -> str:
    """The path of the compute cluster."""
    return f"{at.workspace}/computes/{at.place.cluster.name}"


def our_cluster(at: AzureEndpoint, calls: AzureCalls) -> Json | None:
    """The cluster, where there is one that `setup` made for this endpoint."""
    found = _read(calls, cluster_path(at), COMPUTE_API)
    return found if found is not None and (found.get("tags") or {}).get(OWNER) == at.name else None


def cluster_cost(at: AzureEndpoint, found: Json) -> str:
    """What the cluster costs now and at its largest."""
    held = (found.get("properties") or {}).get("properties") or {}
    size, scale = str(held.get("vmSize") or "an unknown size"), held.get("scaleSettings") or {}
    nodes, most = int(held.get("currentNodeCount") or 0), int(scale.get("maxNodeCount") or 0)
    where = str(found.get("location") or "")
    return f"cluster {found.get('name')}: {cost_line(at.place, size, nodes, where)}, up to {most} nodes"


def _group(at: AzureEndpoint, where: str) -> Iterator[AzurePiece]:
    body = {"location": where, "tags": _tags(at)}
    yield AzurePiece(f"resource group {at.place.resource_group}", group_path(at), GROUP_API, body, "costs nothing")


def _beneath(at: AzureEndpoint, calls: AzureCalls, where: str) -> Iterator[AzurePiece]:
    """What a workspace stands on: where files lie, and where secrets do. Their names are unique in all of Azure."""
    storage: Json = {
        "location": where,
        "tags": _tags(at),
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "encryption": {
                "keySource": "Microsoft.Storage",
                "services": {"blob": {"enabled": True}, "file": {"enabled": True}},
            },
        },
    }
    vault: Json = {
        "location": where,
        "tags": _tags(at),
        "properties": {
            "tenantId": calls.login.account().tenant,
            "sku": {"family": "A", "name": "standard"},
            "accessPolicies": [],
        },
    }
    yield AzurePiece(f"storage account {_unique(at)}", _storage_path(at), STORAGE_API, storage, FEW)
    yield AzurePiece(f"key vault {_unique(at)}", _vault_path(at), VAULT_API, vault, FEW)


def _workspace(at: AzureEndpoint, where: str) -> AzurePiece:
    name = at.place.workspace
    body: Json = {
        "location": where,
        "tags": _tags(at),
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {"friendlyName": name, "storageAccount": _storage_path(at), "keyVault": _vault_path(at)},
    }
    return AzurePiece(f"workspace {name}", at.workspace, WORKSPACE_API, body, "costs nothing by itself")


def _cluster(at: AzureEndpoint, where: str) -> AzurePiece:
    cluster = at.place.cluster
    body: Json = {
        "location": where,
        "tags": _tags(at),
        "properties": {
            "computeType": "AmlCompute",
            "properties": {
                "vmSize": cluster.size,
                "vmPriority": "LowPriority" if cluster.priority == "low" else "Dedicated",
                "scaleSettings": {
                    "minNodeCount": cluster.min_nodes,
                    "maxNodeCount": cluster.max_nodes,
                    "nodeIdleTimeBeforeScaleDown": "PT2M",
                },
            },
        },
    }
    always = cost_line(at.place, cluster.size, cluster.min_nodes, where) if cluster.min_nodes else "nothing while idle"
    most = cost_line(at.place, cluster.size, cluster.max_nodes, where)
    cheaper = "; low priority costs less" if cluster.priority == "low" else ""
    what = f"compute cluster {cluster.name} ({cluster.min_nodes} to {cluster.max_nodes} x {cluster.words})"
    return AzurePiece(what, cluster_path(at), COMPUTE_API, body, f"{always}, at most {most}{cheaper}")


def _tags(at: AzureEndpoint) -> dict[str, str]:
    return {**at.place.tags, OWNER: at.name}


def _unique(at: AzureEndpoint) -> str:
    """A name of 3 to 24 small letters and digits, the same one each time."""
    digest = hashlib.sha256(at.workspace.casefold().encode()).hexdigest()[:10]
    return f"qd{re.sub(r'[^a-z0-9]', '', at.place.workspace.lower())[:12]}{digest}"


def _storage_path(at: AzureEndpoint) -> str:
    return f"{group_path(at)}/providers/Microsoft.Storage/storageAccounts/{_unique(at)}"


def _vault_path(at: AzureEndpoint) -> str:
    return f"{group_path(at)}/providers/Microsoft.KeyVault/vaults/{_unique(at)}"


def _state(body: Json) -> str:
    return str((body.get("properties") or {}).get("provisioningState") or "Succeeded")


def _standing(at: AzureEndpoint, calls: AzureCalls, path: str, api: str) -> Json | None:
    """What is there and is ready; what we began to make is to be made to its end, or again where it failed."""
    found = _read(calls, path, api)
    ours = found is not None and (found.get("tags") or {}).get(OWNER) == at.name
    return None if found is not None and ours and _state(found) not in READY else found


def _read(calls: AzureCalls, path: str, api: str) -> Json | None:
    try:
        return calls.ask("GET", path, api).body
    except (AzureMissing, WorkspaceMissing):
        return None
