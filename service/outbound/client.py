"""An HTTP client that reaches the public internet and nothing inside, whatever URL it is given.

A name is resolved once, all its addresses are checked, and the connection goes to one of those, so a name
server cannot answer differently the second time. TLS still verifies the name. There are no proxies and no credentials
from the environment, no redirects, no cookies and no kept connections; the answer and the duration are bounded.
"""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from service.outbound.addresses import Address, Opening, OutboundRefused, parse_address, parse_openings, refusal
from service.settings import Settings

CONNECT_SECONDS = 5.0  # an address; the name's next one is tried afterwards
USER_AGENT = "brigadewatch"
MAX_URL_CHARACTERS = 2_048
Resolve = Callable[[str, int], list[str]]
# of a host's name; underscores are in use, whatever the standards say
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # a last label that makes the whole an IPv4 address, or nothing


class AnswerTooLarge(httpx.TransportError):
    """The answer has more bytes than allowed."""


def outbound_client(
    settings: Settings,
    *,
    timeout_seconds: float,
    max_bytes: int,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve | None = None,
) -> httpx.Client:
    """A client for requests to addresses that others choose; safe for several threads.

    `timeout_seconds` bounds a request as a whole, from resolving the name to the last byte of the answer; `max_bytes`
    the answer's body, which is never inflated. A request raises OutboundRefused (nothing was sent) for a URL or an
    address that is not allowed, AnswerTooLarge, or another httpx.TransportError. `tls` and `resolve` replace the
    certificates and the resolver of this machine.
    """
    backend = _GuardedNetwork(parse_openings(settings.outbound_allow), timeout_seconds, resolve or system_addresses)
    # The certificates may be named by SSL_CERT_FILE, as everywhere; nothing else comes from the environment.
    context = tls or httpx.create_ssl_context(trust_env=True)
    pool = httpcore.ConnectionPool(
        ssl_context=context, network_backend=backend, max_connections=None, max_keepalive_connections=0, retries=0
    )
    return httpx.Client(
        transport=_GuardedTransport(pool, max_bytes),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def check_url(url: str, settings: Settings) -> str:
    """The URL in its normal form, if a request to it is allowed, as far as can be checked without a name server.

    Raises OutboundRefused if it is not a valid URL, has a scheme other than http and https, contains credentials, or
    names an address inside.
    """
    parsed = read_url(url)
    host, port = parsed.raw_host.decode("ascii"), _port_of(parsed)
    openings = parse_openings(settings.outbound_allow)
    # `localhost` is this machine whatever the resolver says; 127.1, 0x7f.1 and 2130706433 are numbers to it, not names.
    literal = ["127.0.0.1"] if host.rstrip(".").rpartition(".")[2] == "localhost" else _numeric(host, port)
    _check_addresses(host, port, literal, openings)
    return str(parsed)


def read_url(url: str) -> httpx.URL:
    """The URL, if it has the form of an address that HTTP is spoken at, wherever that is.

    Raises OutboundRefused saying what is wrong with it.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise OutboundRefused(f"URL has {len(url)} characters; at most {MAX_URL_CHARACTERS} are allowed")
    try:
        parsed = httpx.URL(url)
        # The host as people write it: httpx would fail on an invalid `xn--` name with every request.
        _ = parsed.host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise OutboundRefused(f"{url[:80]!r} is not a valid URL: {error}") from None
    _check_form(parsed)
    return parsed


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine's resolver orders them. Raises OSError if it cannot be resolved."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


class _GuardedTransport(httpx.BaseTransport):
    """httpx's requests over a pool of our own; the answer's body is bounded and not decoded."""

    def __init__(self, pool: httpcore.ConnectionPool, max_bytes: int) -> None:
        self._pool, self._max_bytes = pool, max_bytes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _check_form(request.url)
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        with _as_httpx():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(answer.stream, Iterable)
        # Never decompressed: a few bytes can expand to gigabytes, and compression was not requested.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"content-encoding"]
        return httpx.Response(
            answer.status,
            headers=headers,
            stream=_BoundedBody(answer.stream, self._max_bytes),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._stream, self._max_bytes = stream, max_bytes

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        with _as_httpx():
            for part in self._stream:
                size += len(part)
                if size > self._max_bytes:
                    raise AnswerTooLarge(f"the answer is larger than {self._max_bytes} bytes")
                yield part

    def close(self) -> None:
        self._stream.close()


class _GuardedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and bounds the life of each connection."""

    def __init__(self, openings: tuple[Opening, ...], seconds: float, resolve: Resolve) -> None:
        self._openings, self._seconds, self._resolve = openings, seconds, resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        deadline = time.monotonic() + self._seconds
        addresses = self._addresses(host, port)
        _check_addresses(host, port, addresses, self._openings)
        for left, address in enumerate(reversed(addresses), 1):
            patience = _remaining(deadline, timeout, httpcore.ConnectTimeout)
            try:
                return _TimedStream(
                    self._sockets.connect_tcp(address, port, patience, local_address, socket_options), deadline
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} could not be resolved: it has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        raise OutboundRefused("requests to Unix sockets are not allowed")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _addresses(self, host: str, port: int) -> list[str]:
        # The system's resolver has no time-out, so it runs on a thread that can be abandoned.
        answer: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

        def resolve() -> None:
            try:
                answer.put(self._resolve(host, port))
            except Exception as error:  # passed to the thread that waits
                answer.put(error)

        threading.Thread(target=resolve, name=f"resolve {host[:80]}", daemon=True).start()
        try:
            found = answer.get(timeout=self._seconds)
        except queue.Empty:
            raise httpcore.ConnectTimeout(f"{host} could not be resolved within {self._seconds:g} s") from None
        if isinstance(found, (OSError, UnicodeError)):
            raise httpcore.ConnectError(f"{host} could not be resolved: {found}") from found
        if isinstance(found, Exception):
            raise found
        return found


class _TimedStream(httpcore.NetworkStream):
    """A connection that ends at its deadline, however slowly the other side sends."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(self._deadline, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(self._deadline, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(
            self._stream.start_tls(
                ssl_context, server_hostname, _remaining(self._deadline, timeout, httpcore.ConnectTimeout)
            ),
            self._deadline,
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _remaining(deadline: float, timeout: float | None, over: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise over("the request took too long")
    return left if timeout is None else min(left, timeout)


def _check_form(url: httpx.URL) -> None:
    if url.scheme not in ("http", "https"):
        raise OutboundRefused(f"{str(url)[:80]!r} has the scheme {url.scheme[:20]!r}: use https or http")
    if url.userinfo:
        raise OutboundRefused(
            f"the URL for {url.host[:80]!r} contains a user or password: leave them out; deliveries are signed instead"
        )
    host = url.raw_host.decode("ascii")
    if not _is_host(host):
        raise OutboundRefused(
            f"{host[:80]!r} in {str(url)[:80]!r} is not a valid host: use a name like hooks.example.org (labels of at"
            " most 63 letters, digits and hyphens, 253 characters in all) or an address"
        )
    if url.port is not None and not 1 <= url.port <= 65_535:
        raise OutboundRefused(f"{str(url)[:80]!r} has port {url.port}: use 1 to 65535")


def _is_host(host: str) -> bool:
    """Whether it is an address, or a name that a name server could know."""
    if parse_address(host) is not None:
        return True
    name = host.removesuffix(".")
    return (
        0 < len(name) <= 253
        and all(map(_LABEL.fullmatch, name.split(".")))
        and (not _NUMBER.fullmatch(name.rpartition(".")[2]) or bool(_numeric(host, 0)))
    )


def _check_addresses(host: str, port: int, addresses: list[str], openings: tuple[Opening, ...]) -> None:
    for text in addresses:
        address: Address | None = parse_address(text)
        why = f"{text[:80]!r} is not an IP address" if address is None else refusal(address, port, openings)
        if why is not None:
            raise OutboundRefused(f"requests to {host[:80]}, port {port}, are not allowed: {why}")


def _numeric(host: str, port: int) -> list[str]:
    if parse_address(host) is not None:
        return [host]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(one[4][0]) for one in found]


def _port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn httpcore's failures into those of httpx with the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__, httpx.TransportError)(str(error) or type(error).__name__) from error
