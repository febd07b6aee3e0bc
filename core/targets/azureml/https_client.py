"""HTTPS for threads: one client that is made with its first call, and leaves no connection behind once it is closed."""

import os
import ssl
import threading
from typing import Any

import certifi
import httpx

from core.domain.errors import BadInput


class HttpsClient:
    """Any thread may call. Follows nobody elsewhere; raises httpx's errors, RuntimeError once it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._closed = False

    def request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Response:
        """One call."""
        client = self._connected()
        try:
            return client.request(method, url, **more)
        finally:
            if self._closed:
                # A connection that was being made when this was closed is known only now.
                client.close()

    def close(self) -> None:
        """Let go of the connections; a call in use breaks off."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise RuntimeError("closed")
            if self._client is None:
                self._client = httpx.Client(verify=trusted(), follow_redirects=False)
            return self._client


def trusted() -> ssl.SSLContext:
    """What this machine trusts, and the file that SSL_CERT_FILE or REQUESTS_CA_BUNDLE names; raises BadInput."""
    extra = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE") or ""
    try:
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        if extra:
            context.load_verify_locations(cafile=extra)
    except OSError as error:
        raise BadInput(f"SSL_CERT_FILE, REQUESTS_CA_BUNDLE: {extra} can't be used: {error.strerror or error}") from None
    return context
