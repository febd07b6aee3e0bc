"""How long things take, and how the service behaves where a test may choose. Seconds; a real endpoint takes 90."""

from dataclasses import dataclass


@dataclass(slots=True)
class Delays:
    """Set before a call, it holds for what begins with it."""

    endpoint_s: float = 0.5
    """An endpoint made."""
    traffic_s: float = 0.2
    """An endpoint changed: traffic too."""
    deployment_s: float = 0.5
    """A deployment made or changed, before its container starts."""
    delete_s: float = 0.2
    hidden_s: float = 0.0
    """A deployment just made is 404 for so long."""
    shown_s: float = 0.0
    """New traffic is shown so much later than its operation ends; requests follow it at once."""
    settling_s: float = 0.0
    """An endpoint whose operation has ended still refuses deployments."""
    job_s: float = 0.1
    """Each state of a job before it runs."""
    compute_s: float = 0.3
    retry_after_s: int | None = None
    """Recorded answers have no Retry-After."""
    speed: float = 20.0
    """Divides the periods of probes."""
