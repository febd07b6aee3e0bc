"""`python -m tests.azure [--port N]`: the stand-in by hand, until ctrl-c; it prints what a shell is to export."""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.azure.faults import CRASHED
from tests.azure.standin import AzureStandIn


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--operation-s", type=float, default=1.0, help="how long each operation takes")
    parser.add_argument("--retry-after", type=int, help="seconds that answers ask pollers to wait")
    parser.add_argument("--no-quota", metavar="TYPE", help="an instance type without quota")
    parser.add_argument("--crashing", metavar="TYPE", help="an instance type whose containers crash")
    options = parser.parse_args()
    ended = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: ended.set())
    with tempfile.TemporaryDirectory() as folder:
        azure = AzureStandIn(Path(folder))
        azure.port = options.port
        azure.delays.endpoint_s = azure.delays.deployment_s = options.operation_s
        azure.delays.traffic_s = azure.delays.delete_s = options.operation_s
        azure.delays.retry_after_s = options.retry_after
        if options.no_quota:
            azure.quota.refuse(options.no_quota)
        if options.crashing:
            azure.fail(options.crashing, CRASHED)
        with azure:
            said = {"AZURE_STAND_IN": azure.url, "AZURE_STAND_IN_TOKEN": azure.token, **azure.environment()}
            sys.stdout.write("".join(f"export {name}={value}\n" for name, value in said.items()))
            sys.stdout.flush()
            ended.wait()


if __name__ == "__main__":
    main()
