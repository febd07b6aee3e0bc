"""Ports: is one free, who holds it, which may be taken."""

import socket
from contextlib import suppress

import psutil

from core.domain.errors import BadInput


def who_holds(host: str, port: int) -> str:
    """Empty when we may listen there; else what is in the way, in words."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            # Two sockets may be bound to one port; only one may listen.
            probe.listen(1)
    except PermissionError:
        return f"port {port} may not be used by this user; choose one above 1023"
    except OSError as error:
        holder = _holder(port)
        if holder:
            return f"port {port} is taken by {holder}"
        return f"port {port} on {host} can't be used: {error.strerror or error}"
    return ""


def _holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
                continue
            if connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def check_port(host: str, port: int) -> None:
    """Raise BadInput when nobody may listen there."""
    taken = who_holds(host, port)
    if taken:
        raise BadInput(f"{taken}; stop that, or set another `port` (0 chooses a free one)")
