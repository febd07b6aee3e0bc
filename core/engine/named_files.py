"""Files that variables name: which of them are gone, and what another shell names instead. No other value is read."""

import os
from collections.abc import Mapping
from pathlib import Path

AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
"""Whom to trust: what a shell says of that holds as a whole."""
_FILES = (
    *AUTHORITIES,
    *("KUBECONFIG", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CONFIG_DIR"),
    *("AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    *("MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"),
)


def gone(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that name a file or folder that is not there, with what they name."""
    return {name: environ[name] for name in _FILES if environ.get(name) and not _there(environ[name])}


def mended(kept: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What was kept, but for what names a file that is gone where `given` names one that is there."""
    lost, wrong = gone(kept), gone(given)
    other = {name: given[name] for name in lost if given.get(name) and name not in wrong}
    found = {**kept, **other}
    if lost.keys() & set(AUTHORITIES) and not wrong.keys() & set(AUTHORITIES):
        # A shell that names none trusts what the machine does; whom a file that is gone named, nobody knows any more.
        found = {name: value for name, value in found.items() if name not in AUTHORITIES}
        found |= {name: given[name] for name in AUTHORITIES if given.get(name)}
    return found


def beside(why: str, lacks: str) -> str:
    """A reason with the variable that may be behind it, in every line that is made of it."""
    return f"{why} ({lacks})" if lacks and lacks not in why else why


def _there(named: str) -> bool:
    # KUBECONFIG may name several. What is relative is so to a folder that nobody kept.
    return any(not Path(one).is_absolute() or Path(one).exists() for one in named.split(os.pathsep) if one)
