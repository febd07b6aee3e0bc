"""The ports of Services: by which callers come, and by which a gateway does. Pure."""

from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.manifests_pod import PORT_NAME

INSIDE_PORT = 80
"""Of a slot's Service behind a gateway: callers come by the gateway's port, and one that is set moves under nobody."""


def service_port(number: int) -> Json:
    """A port by which the pods are reached."""
    return {"name": PORT_NAME, "port": number, "targetPort": PORT_NAME, "protocol": "TCP"}


def port_of(service: Json) -> int | None:
    """The port that callers come by, as a Service has it."""
    ports = service["spec"].get("ports") or ()
    return next((int(one["port"]) for one in ports if one.get("name") == PORT_NAME), None)


def moved_port(service: Json, wanted: int) -> Json | None:
    """The patch by which callers come by the wanted port alone; None where they do.

    An apply would put the new port beside the one that was there; in a merge patch the list is set as a whole.
    """
    ports, new = service["spec"].get("ports") or [], service_port(wanted)
    mine = [one for one in ports if one.get("name") == PORT_NAME]
    if [one["port"] for one in mine] == [new["port"]]:
        return None
    others = [one for one in ports if one not in mine and one["port"] != new["port"]]
    return {"spec": {"ports": [{**(mine[0] if mine else {}), **new}, *others]}}
