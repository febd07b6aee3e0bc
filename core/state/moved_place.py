"""An endpoint whose settings name another place than the one that it serves from. Pure."""

from core.domain.hints import typed
from core.state.endpoint import Endpoint


def serves_elsewhere(endpoint: Endpoint, where: str) -> str:
    """That it serves from another place than `where`, and what to do; empty where it does not."""
    if endpoint.serving is None or endpoint.target == where:
        return ""
    return (
        f"{endpoint.name} serves from {endpoint.target}, and these settings name {where}; name the former again, or "
        f"call {typed('down', endpoint.environment)} first, while the settings still name that place"
    )
