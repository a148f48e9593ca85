"""The way out for webhooks: the name is resolved once, every address judged, and that very address connected to.

TLS and `Host` still speak of the name. Nothing is followed, kept alive, expanded or read beyond what the log keeps.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore

from notifications.domain.addresses import is_allowed
from notifications.domain.posts import RESPONSE_BYTES_KEPT, Outcome, kept

TIMEOUT_S = 15.0
CONNECTIONS_MAX = 64
LOOKUPS_MAX = 2
USER_AGENT = b"portolan-webhooks/1"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefused(Exception):
    """The name leads somewhere a webhook may not go."""


class Resolver:
    """Names to addresses. The loop has four threads for names and files alike: names that hang never hold them all."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(LOOKUPS_MAX)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if _is_address(host):
            return [host]
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        lookup = loop.create_task(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        lookup.add_done_callback(self._free)
        found = await asyncio.shield(lookup)
        return [str(address[0]) for *_, address in found]

    def _free(self, lookup: asyncio.Task[Any]) -> None:
        """When the thread is free, which may be long after whoever asked has gone."""
        self._places.release()
        if not lookup.cancelled():
            lookup.exception()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class JudgedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, resolve: Resolve, *, loopback_allowed: bool) -> None:
        self._resolve = resolve
        self._loopback_allowed = loopback_allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await self._judged(host, port)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _judged(self, host: str, port: int) -> str:
        """One bad address spoils the name: who mixes them means no good."""
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not is_allowed(address, loopback_allowed=self._loopback_allowed):
                raise AddressRefused(f"{host} leads to {address}, which is not a public address")
        if not addresses:
            raise AddressRefused(f"{host} leads nowhere")
        return addresses[0]


class Egress:
    def __init__(
        self, *, loopback_allowed: bool = False, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=0,
            network_backend=JudgedBackend(resolve or Resolver(), loopback_allowed=loopback_allowed),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Never raises for what the other side does, or fails to do."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(url, headers, body)
        except TimeoutError:
            return Outcome(failure=f"no answer within {TIMEOUT_S:.0f} s")
        except (AddressRefused, OSError, UnicodeError) as error:
            return Outcome(failure=str(error) or type(error).__name__)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return Outcome(failure=f"{type(error).__name__}: {error}")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        address = _address(url)
        sent = [(b"Host", _host(address)), (b"User-Agent", USER_AGENT), (b"Content-Type", b"application/json")]
        sent += [(b"Content-Length", str(len(body)).encode()), (b"Connection", b"close")]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        async with self._pool.stream("POST", address, headers=sent, content=body) as answer:
            raw = b""
            async for chunk in answer.aiter_stream():
                raw += chunk[:RESPONSE_BYTES_KEPT]
                if len(raw) >= RESPONSE_BYTES_KEPT:
                    break
            return Outcome(answer.status, kept(raw), _retry_after(answer.headers))

    async def close(self) -> None:
        await self._pool.aclose()


def _address(url: str) -> httpcore.URL:
    """From the parts that were judged, so that no second reading of the text can differ."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target)


def _host(address: httpcore.URL) -> bytes:
    host = b"[" + address.host + b"]" if b":" in address.host else address.host
    return host if address.port is None else host + b":" + str(address.port).encode()


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
