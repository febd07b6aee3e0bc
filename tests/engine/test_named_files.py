"""Which variable of a release names what is gone, and what holds instead."""

from pathlib import Path

import pytest

from core.engine.named_files import beside, gone, mended


@pytest.fixture
def there(tmp_path: Path) -> str:
    """A file."""
    path = tmp_path / "there.pem"
    path.touch()
    return str(path)


def test_only_what_names_files_is_looked_at_and_no_secret(there: str) -> None:
    environ = {
        "REQUESTS_CA_BUNDLE": "/none/ca.pem",
        "SSL_CERT_FILE": there,
        "KUBECONFIG": f"/none/config:{there}",
        "AWS_CONFIG_FILE": "beside/config",
        "AWS_SECRET_ACCESS_KEY": "/s3cret",
        "AZURE_CLIENT_CERTIFICATE_PATH": "",
    }
    assert gone(environ) == {"REQUESTS_CA_BUNDLE": "/none/ca.pem"}


@pytest.mark.parametrize(
    ("kept", "given", "found"),
    [
        ({"KUBECONFIG": "gone"}, {"KUBECONFIG": "there"}, {"KUBECONFIG": "there"}),
        ({"KUBECONFIG": "there"}, {"KUBECONFIG": "there2"}, {"KUBECONFIG": "there"}),
        ({"KUBECONFIG": "gone"}, {"KUBECONFIG": "gone"}, {"KUBECONFIG": "gone"}),
        # Without one the package would look for a cluster of its own.
        ({"KUBECONFIG": "gone"}, {}, {"KUBECONFIG": "gone"}),
        ({"REQUESTS_CA_BUNDLE": "gone", "AZURE_TENANT_ID": "t"}, {}, {"AZURE_TENANT_ID": "t"}),
        ({"REQUESTS_CA_BUNDLE": "gone"}, {"SSL_CERT_FILE": "there"}, {"SSL_CERT_FILE": "there"}),
        ({"REQUESTS_CA_BUNDLE": "gone"}, {"SSL_CERT_FILE": "gone"}, {"REQUESTS_CA_BUNDLE": "gone"}),
        ({"AZURE_TENANT_ID": "t"}, {"AZURE_TENANT_ID": "other"}, {"AZURE_TENANT_ID": "t"}),
    ],
)
def test_what_is_gone_gives_way_to_what_is_there_and_nothing_else_does(
    kept: dict[str, str], given: dict[str, str], found: dict[str, str], there: str
) -> None:
    paths = {"gone": "/none/file", "there": there, "there2": str(Path(there).parent)}

    def full(short: dict[str, str]) -> dict[str, str]:
        return {name: paths.get(value, value) for name, value in short.items()}

    assert mended(full(kept), full(given)) == full(found)


def test_a_reason_is_said_with_the_variable_once() -> None:
    assert beside("no answer", "") == "no answer"
    once = beside("no answer", "CA names /x, which is gone")
    assert once == "no answer (CA names /x, which is gone)"
    assert beside(once, "CA names /x, which is gone") == once
