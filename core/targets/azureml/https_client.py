"""HTTPS for threads: one client that is made with its first call, and leaves no connection behind once it is closed."""

import ssl
import threading
from typing import Any

import certifi
import httpx

from core.domain.errors import BadInput


class HttpsClient:
    """Any thread may call. Follows nobody elsewhere; raises httpx's errors, RuntimeError once it is closed."""

    def __init__(self, ca: str = "") -> None:
        self._ca = ca
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._transport: httpx.HTTPTransport | None = None
        self._closed = False

    def request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Response:
        """One call."""
        client = self._connected()
        try:
            return client.request(method, url, **more)
        finally:
            if self._closed and self._transport is not None:
                # A connection that was being made when this was closed is known only now; a client closes once only.
                self._transport.close()

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
                context = trusted(self._ca)
                self._transport = httpx.HTTPTransport(verify=context)
                self._client = httpx.Client(transport=self._transport, verify=context, follow_redirects=False)
            return self._client


def trusted(ca: str) -> ssl.SSLContext:
    """What this machine trusts, and the authorities in a file; raises BadInput."""
    try:
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        if ca:
            context.load_verify_locations(cafile=ca)
    except OSError as error:
        raise BadInput(f"SSL_CERT_FILE, REQUESTS_CA_BUNDLE: {ca} can't be used: {error.strerror or error}") from None
    return context
