"""What stands at an endpoint in Azure ML, for `status`; and all of it taken down, with what it cost."""

import time
from dataclasses import replace

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Observation
from core.targets.azureml.api_errors import AzureBusy
from core.targets.azureml.autoscaler import taken_away
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.changes import shown_late
from core.targets.azureml.claims import changed_by, driver_name, newest_claim
from core.targets.azureml.costs import cost_line, priced
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.reading import EndpointReader
from core.targets.azureml.routing import route_words
from core.targets.azureml.setup import cluster_cost, cluster_path, our_cluster
from core.targets.azureml.view import OVER, AzureView, capacity, observations, state_of
from core.targets.azureml.workspace import COMPUTE_API, ENDPOINT_API, AzureEndpoint

GONE_S, LEFT_S = 600.0, 3600.0


def looked_at(at: AzureEndpoint, calls: AzureCalls) -> AzureView:
    """The endpoint as it is now; raises QuarterdeckError."""
    return EndpointReader(at, calls, lambda: None).read()


def slots_in(at: AzureEndpoint, view: AzureView) -> tuple[Observation, ...]:
    """What each slot holds."""
    why = {slot: f"Azure says {state_of(body) or 'nothing'}" for slot, body in view.deployments.items()}
    why |= {one.slot: _words(at, one.slot) for one in _book(at).operations() if one.slot}
    shown = _as_asked(at, view)
    return tuple(priced(observations(shown, why, _book(at).sizes()), shown, at.place).values())


def driven_elsewhere(at: AzureEndpoint, view: AzureView) -> str:
    """Who changed it last, where that is another machine or another project; else empty."""
    claim = newest_claim(view.tagged)
    return claim.who if claim is not None and claim.driver != driver_name(at.folder.parent) else ""


def changed_elsewhere(at: AzureEndpoint, view: AzureView) -> str:
    """Why no release may begin now: a driver of another machine or project has something under way; else empty.

    Nothing there says that a driver lives: traffic that it split an hour ago or longer is taken for left behind.
    """
    claim = newest_claim(view.tagged)
    if claim is None or claim.driver == driver_name(at.folder.parent):
        return ""
    states = {at.name: view.state, **{slot: state_of(body) for slot, body in view.deployments.items()}}
    goes_on = ", ".join(f"{what} is {state}" for what, state in states.items() if state not in {*OVER, ""})
    if goes_on:
        return f"{claim.who} has a change under way ({goes_on}); wait for its end, or look there"
    changed = view.claimed_at(str(claim))
    if (len(view.weights) > 1 or view.mirror) and changed is not None and time.time() - changed < LEFT_S:
        shares = route_words({"weights": view.weights, "mirror": view.mirror})
        return f"{claim.who} has a release under way ({shares}); wait for its end there, or take it back by a rollback"
    return ""


def assumed(at: AzureEndpoint, view: AzureView) -> bool:
    """Whether the traffic of the slots is what this project asked for last, for Azure may still show the one before."""
    asked = _book(at).route()
    # With another change it was not accepted, or something else has changed since.
    return asked is not None and changed_by(view.tags) == asked.get("change") and shown_late(asked, view)


def _as_asked(at: AzureEndpoint, view: AzureView) -> AzureView:
    book = _book(at)
    asked = book.route()
    # What is shown while a change goes on is in force until that is over.
    moves = any(one.doing == "traffic" and one.address for one in book.operations())
    if asked is None or view.body is None or moves or not assumed(at, view):
        return view
    properties = {**view.body["properties"], "traffic": asked["weights"], "mirrorTraffic": asked["mirror"]}
    return replace(view, body={**view.body, "properties": properties})


def lines_of(at: AzureEndpoint, calls: AzureCalls, view: AzureView) -> list[str]:
    """Who looks, where it answers, what goes on."""
    place = at.place
    lines = [f"account  {_account(calls)}", f"place    {place.subscription}/{place.resource_group}/{place.workspace}"]
    if view.scoring_uri:
        lines.append(f"url      {view.scoring_uri}")
    claim = newest_claim(view.tagged)
    if claim is not None and claim.driver != driver_name(at.folder.parent):
        changed = view.claimed_at(str(claim))
        since = "" if changed is None else f" on {time.strftime('%d %b %H:%M', time.localtime(changed))}"
        lines.append(f"claim    {claim.who} changed it last{since}")
    book = _book(at)
    # What a slot waits for stands beside it.
    lines += [
        f"goes on  {one.words(book.usual_s(one.doing))}"
        for one in book.operations()
        if one.slot not in view.deployments
    ]
    return lines


def costs_of(at: AzureEndpoint, calls: AzureCalls, view: AzureView) -> tuple[str, ...]:
    """The instances of each deployment, with what they cost an hour, and the compute cluster that was made for it."""
    types = {
        slot: str((body.get("properties") or {}).get("instanceType") or "") for slot, body in view.deployments.items()
    }
    cluster = our_cluster(at, calls)
    return (
        *([] if cluster is None else [cluster_cost(at, cluster)]),
        *(
            f"{slot}: {cost_line(at.place, types[slot] or 'an unknown size', capacity(body), view.location)}"
            for slot, body in view.deployments.items()
        ),
    )


def taken_down(at: AzureEndpoint, calls: AzureCalls) -> bool:
    """The endpoint with all its deployments goes, and the cluster that was made for it; waits until they have.

    False where there is neither.
    """
    view = looked_at(at, calls)
    cluster = our_cluster(at, calls)
    if cluster is not None:
        # Jobs that run there end with it.
        calls.ask("DELETE", cluster_path(at), COMPUTE_API, query={"underlyingResourceAction": "Delete"})
    if view.body is None:
        return cluster is not None
    until_s = time.monotonic() + GONE_S
    while True:
        try:
            calls.ask("DELETE", at.path, ENDPOINT_API)
            break
        except AzureBusy:
            if time.monotonic() > until_s:
                raise
            time.sleep(at.place.poll_s)
    while _there(at, calls):
        if time.monotonic() > until_s:
            raise Refused(f"{at.called}: Azure is still deleting it; see 'quarterdeck status' in some minutes")
        time.sleep(at.place.poll_s)
    if at.endpoint.autoscaling is not None:
        taken_away(at, calls)
    return True


def _there(at: AzureEndpoint, calls: AzureCalls) -> bool:
    """Whether the endpoint is; while nobody answers it may be, and what was asked for goes on there."""
    try:
        return looked_at(at, calls).body is not None
    except Unreachable:
        return True


def _account(calls: AzureCalls) -> str:
    try:
        return str(calls.login.account())
    except QuarterdeckError as error:
        return str(error)


def _book(at: AzureEndpoint) -> OperationBook:
    return OperationBook(at.folder, at.name)


def _words(at: AzureEndpoint, slot: str) -> str:
    book = _book(at)
    return next((one.words(book.usual_s(one.doing)) for one in book.operations() if one.slot == slot), "")
