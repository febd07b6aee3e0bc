"""A certificate authority of its own, and the certificate of everything that listens here."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class LoopbackCertificates:
    """`ca` is the file that a client trusts."""

    ca: Path
    context: ssl.SSLContext


def certified(folder: Path) -> LoopbackCertificates:
    """Make both, for this machine's loopback."""
    authority = trustme.CA(organization_name="Stand-in for Azure")
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    return LoopbackCertificates(path, context)
