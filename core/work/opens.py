"""`python -m core.work.opens`: whether MLflow opens the registry of the settings on stdin; one line of JSON says it.

Asked by itself, without a release: a child that imports MLflow and nothing else, and ends with whoever asked.
"""

import json
import logging
import sys

from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.system.processes import die_with_parent
from core.work.registry import answering, connect


def main() -> None:
    """`versions` is how many there are of the settings' model; `error` is why it can't be opened."""
    die_with_parent()
    logging.disable()
    settings = Settings.from_dump(sys.stdin.read())
    try:
        registry = connect(settings)
        with answering(registry.shown):
            found = registry.client.search_model_versions(f"name = '{settings.model}'", max_results=1000)
        said: dict[str, object] = {"versions": len(found), "shown": registry.shown}
    except QuarterdeckError as error:
        said = {"error": str(error)}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
