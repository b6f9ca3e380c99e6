"""The HTTP client library, wrapped: one client a host, bound to the addresses that were vetted.

Nothing else imports wreq. A client costs some 76 µs and 56 KB (measured, see the design decisions), so each host gets
its own, whose name resolution is fixed to the vetted addresses: the name cannot mean another address by the time
the connection is made.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import wreq
from wreq import exceptions, redirect
from wreq.cookie import Jar
from wreq.dns import DnsOptions
from wreq.emulation import Profile
from wreq.runtime import Runtime

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.fetch.egress import Address

__all__ = ["FOREIGN", "ClientPool", "ClientSpec", "Jar", "impersonations", "ours", "read_body", "translated"]

#: Seconds to make a connection, TLS included.
CONNECT_SECONDS = 10.0
#: Idle connections are kept so long, and so many for each host.
_IDLE = timedelta(seconds=30)
_IDLE_CONNECTIONS = 64
#: How much nicer than the process the library's threads are. At 5 they still interrupted the crawler for most pages, at 8 for every other one, at 10 for each fifth,
#: with no more speed; at 19 they cost more again (measured). The least that is enough leaves them most where processors are contended for.
_NICER = 8
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_PROFILES: dict[str, Profile] = {
    name.lower(): getattr(Profile, name) for name in dir(Profile) if name[:1].isupper()
}


def impersonations() -> list[str]:
    """The browser profiles that can be impersonated, lower-case, such as `chrome137`."""
    return sorted(_PROFILES)


@dataclass(slots=True, frozen=True)
class ClientSpec:
    """What tells one client from another. `pins` maps names to the addresses they may mean. `keep`: connections are used again.

    `seconds`: for a request, from its connection to the end of its body.
    """

    pins: tuple[tuple[str, tuple[Address, ...]], ...]
    seconds: float
    user_agent: str | None
    impersonate: str | None
    verify_tls: bool
    proxy: str | None
    keep: bool = True
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Each page looks its client up, and addresses are slow to hash.
        own = (
            self.pins,
            self.seconds,
            self.user_agent,
            self.impersonate,
            self.verify_tls,
            self.proxy,
            self.keep,
        )
        object.__setattr__(self, "_hash", hash(own))

    def __hash__(self) -> int:
        return self._hash


class ClientPool:
    """Clients of the whole process, the least recently used given up first."""

    def __init__(self, keep: int = 512) -> None:
        self._keep = keep
        self._clients: OrderedDict[ClientSpec, wreq.Client] = OrderedDict()

    def client(self, spec: ClientSpec) -> Any:
        """The client for a spec, made if need be."""
        client = self._clients.get(spec)
        if client is not None:
            self._clients.move_to_end(spec)
            return client
        client = self._clients[spec] = _make(spec)
        if len(self._clients) > self._keep:
            self._clients.popitem(last=False)
        return client

    def close(self) -> None:
        """Let all idle connections go."""
        self._clients.clear()


@cache
def _runtime() -> Runtime:
    """The threads that move the bytes of all clients of this process.

    Where they share a core with the event loop, each request and each response that wakes one would interrupt it: being nicer, they do their work in
    batches, when the loop waits or its time slice ends.
    """
    made: list[Runtime] = []

    def make() -> None:
        if sys.platform == "linux":
            os.nice(_NICER)  # there it is this thread's alone, and those that it starts have it from it
        made.append(Runtime(thread_name="fetching"))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _make(spec: ClientSpec) -> wreq.Client:
    dns = DnsOptions(system_dns=False)
    for name, addresses in spec.pins:
        dns.add_resolve(name, list(addresses))
        dns.add_resolve(name.rstrip("."), list(addresses))
    options: dict[str, Any] = {
        "runtime": _runtime(),
        "dns_options": dns,
        "redirect": redirect.Policy.none(),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=spec.seconds),
        "pool_idle_timeout": _IDLE,
        "pool_max_idle_per_host": _IDLE_CONNECTIONS if spec.keep else 0,
        "tls_verify": spec.verify_tls,
        "tls_verify_hostname": spec.verify_tls,
        "gzip": True,
        "brotli": True,
        "deflate": True,
        "zstd": True,
    }
    if spec.impersonate is not None:
        options["emulation"] = _PROFILES[spec.impersonate]
    else:
        options["headers"] = {"accept": _ACCEPT}
    if spec.user_agent is not None:
        options["user_agent"] = spec.user_agent
    if spec.proxy is not None:
        options["proxies"] = [wreq.Proxy.all(spec.proxy)]
    else:
        options["no_proxy"] = True  # the environment's proxies are not ours
    return wreq.Client(**options)


async def read_body(response: Any, limit: int, *, truncate: bool = False) -> bytes:
    """The decompressed body, of at most `limit` bytes.

    A longer one is cut there if `truncate`, or raises `GiveUpPage("body_too_large")`, having read no more.
    """
    # wreq removes Content-Length where it decompresses, so a length that is there is the length.
    length: int | None = response.content_length
    if length is not None:
        if length <= limit:
            return bytes(await response.bytes())
        if not truncate:
            await response.close()
            raise GiveUpPage("body_too_large", f"the body has {length:,} bytes; the limit is {limit:,}")
    chunks: list[bytes] = []
    size = 0
    async with response.stream() as stream:
        async for chunk in stream:
            if not isinstance(chunk, memoryview):
                continue  # trailers
            size += len(chunk)
            chunks.append(bytes(chunk))
            if size > limit:
                if truncate:
                    return b"".join(chunks)[:limit]
                raise GiveUpPage("body_too_large", f"the body is longer than the limit of {limit:,} bytes")
    return b"".join(chunks)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the library's exceptions into ours."""
    try:
        yield
    except FOREIGN as error:
        raise ours(error) from None


#: What the library raises.
FOREIGN = (
    exceptions.TlsError,
    exceptions.ConnectionError,
    exceptions.ProxyConnectionError,
    exceptions.ConnectionResetError,
    exceptions.BodyError,
    exceptions.BuilderError,
    exceptions.DecodingError,
    exceptions.RequestError,
    exceptions.RedirectError,
    exceptions.TimeoutError,
    exceptions.RustPanic,
)

#: Told apart by the words of the library's message, first match first: (words, permanent, reason, sentence).
_BY_WORDS: Sequence[tuple[tuple[str, ...], bool, str, str]] = (
    (("certificate", "CERTIFICATE"), True, "tls_error", "the server's certificate is not trusted"),
    (("proxy", "Proxy(", "SOCKS", "tunnel"), False, "proxy_error", "the proxy did not let the request through"),
    (("Connection refused",), False, "connection_refused", "nothing listens there"),
    (("dns error",), False, "dns_failure", "the name could not be resolved"),
    (("Ssl", "SSL", "Tls", "tls"), False, "tls_error", "no secure connection could be made"),
    (("Connection reset", "ConnectionReset", "BrokenPipe"), False, "connection_reset", "the server closed the connection"),
    (("Parse(TooLarge)",), True, "headers_too_large", "the response's headers are too many or too long"),
    (("IncompleteBody", "UnexpectedEof"), False, "body_incomplete", "the body ended before it was whole"),
    (("IncompleteMessage", "ChannelClosed", "connection closed"), False, "connection_reset", "the server closed the connection without a response"),
    (("Parse(",), False, "bad_response", "what the server sent is not HTTP"),
)  # fmt: skip


def ours(error: Exception) -> PageError:
    """What an exception of the library's is to us."""
    # The library's message carries the connection's details after this; proxies may stand there with passwords.
    words = str(error).partition("connect_info")[0]
    if isinstance(error, exceptions.TimeoutError) or "TimedOut" in words:
        return RetryPage("timeout", "the page was not there in time")
    if isinstance(error, exceptions.BuilderError):
        return GiveUpPage("bad_request", "the request could not be built from the job's URL and headers")
    if isinstance(error, exceptions.ProxyConnectionError):
        return _translate_proxy(words)
    for marks, permanent, reason, sentence in _BY_WORDS:
        if any(mark in words for mark in marks):
            return GiveUpPage(reason, sentence) if permanent else RetryPage(reason, sentence)
    if isinstance(error, exceptions.BodyError | exceptions.DecodingError):
        return RetryPage("body_broken", "the body could not be read or decompressed")
    if isinstance(error, exceptions.ConnectionError):
        return RetryPage("connection_failed", "no connection could be made")
    return RetryPage("network_error", "the request failed on its way")


def _translate_proxy(words: str) -> PageError:
    """What a proxy did that let no request through: it does not work, or it could not reach the site."""
    if any(mark in words for mark in ("ProxyAuthRequired", "AuthFailure", "NoAcceptableAuth")):
        return RetryPage("proxy_error", "the proxy refuses the credentials")
    socks_code = "Socks(" in words and not any(mark in words for mark in ("Io(", "Invalid"))
    if "TunnelUnsuccessful" in words or socks_code:
        return RetryPage("proxy_refused", "the proxy made no connection to the site")
    return RetryPage("proxy_error", "the proxy could not be reached")
