"""`python -m scoring FOLDER`: serve a model folder from a shell, a container or another program."""

import argparse
import os
import sys

from scoring.model import ModelError, load
from scoring.service import Identity, ServeError, ServingSettings, free_port, serve

BYTES_IN_MB = 1024 * 1024


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; the key comes from the environment, where no list of processes shows it."""
    options = _parser().parse_args(arguments)
    identity = Identity(options.model, options.version, options.run_id, options.uri, options.registry)
    try:
        settings = ServingSettings(
            host=options.host,
            port=free_port(options.host, options.port),
            key=os.environ.get("SCORING_KEY", ""),
            max_body_bytes=int(options.max_body_mb * BYTES_IN_MB),
            drain_s=options.drain_s,
            connection_s=options.connection_s,
        )
        serve(load(options.folder), identity, settings, lambda: _say(f"ready {settings.host}:{settings.port}"))
    except (ModelError, ServeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scoring", description=__doc__)
    parser.add_argument("folder", nargs="?", default=os.environ.get("AZUREML_MODEL_DIR", "."))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one and prints it")
    parser.add_argument("--model", default="model", help="the name in the registry")
    parser.add_argument("--version", default="0", help="the version in the registry")
    parser.add_argument("--run-id", default="")
    parser.add_argument("--uri", default="")
    parser.add_argument("--registry", default="")
    parser.add_argument("--max-body-mb", type=float, default=8.0)
    parser.add_argument("--drain-s", type=float, default=5.0)
    parser.add_argument(
        "--connection-s", type=float, default=0.0, help="senders end a connection after so long; 0: never"
    )
    return parser


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The server's threads may still have senders in hand, and those can't stand an interpreter that is taken down.
    os._exit(code)
