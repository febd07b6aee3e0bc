"""`python -m tests.kubernetes [--kubeconfig FILE]`: the stand-in by hand, until ctrl-c."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ProjectImages


async def serve(options: argparse.Namespace) -> None:
    """Start it, say where it is, and wait."""
    cluster = Cluster()
    cluster.port = options.port
    cluster.gateway = not options.no_gateway
    cluster.kubelet.speed = options.speed
    cluster.plane.balancers = options.balancers
    if options.project:
        cluster.kubelet.images = ProjectImages(options.project, cluster.kubelet.images)
    await cluster.start()
    path: Path = options.kubeconfig
    written = cluster.kubeconfig(path.parent)
    if written != path:
        written.replace(path)
    sys.stdout.write(f"{cluster.address} kubeconfig {path}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, ended.set)
    await ended.wait()
    await cluster.stop()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, default=Path("kubeconfig"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--project", type=Path, help="pods of its images are the real service; others pretend")
    parser.add_argument("--no-gateway", action="store_true", help="without the Gateway API")
    parser.add_argument("--balancers", action="store_true", help="load balancers have an address: 127.0.0.1")
    parser.add_argument("--speed", type=float, default=1.0, help="divides the periods of probes and back-offs")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
