"""Connections to where a page wants to go: to an address that was vetted, or by way of the job's proxy."""

from __future__ import annotations

import asyncio
import base64
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

from scrapemaster.domain.errors import PageError, RetryPage
from scrapemaster.fetch.egress import Address, EgressPolicy


class Outlet(asyncio.Protocol):
    """What a connection through a proxy is handed to. `held` is what made it, kept because it would close it on its way out."""

    held: asyncio.StreamWriter | None = None


P = TypeVar("P", bound=Outlet)

#: Seconds to make a connection, the way through a proxy included.
CONNECT_SECONDS = 10.0
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
#: Bytes of a proxy's answer to CONNECT that are read at most.
_ANSWER_BYTES = 16_384


@dataclass(slots=True, frozen=True)
class Target:
    """Where a connection is to lead: the name asked for, and the addresses it may mean."""

    host: str
    port: int
    addresses: tuple[Address, ...]


async def connect(
    target: Target, proxy: str | None, egress: EgressPolicy, make: Callable[[], P]
) -> tuple[asyncio.Transport, P]:
    """A connection to the target; `make` makes its protocol. Raises `PageError`."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if proxy is None:
                return await _directly(target, make)
            return await _through(target, proxy, egress, make)
    except TimeoutError:
        raise RetryPage("timeout", f"no connection to {target.host} within {CONNECT_SECONDS:.0f} s") from None


async def _directly(target: Target, make: Callable[[], P]) -> tuple[asyncio.Transport, P]:
    loop = asyncio.get_running_loop()
    error: OSError | None = None
    for address in target.addresses:
        try:
            return await loop.create_connection(make, str(address), target.port)
        except OSError as failed:
            error = failed
    if isinstance(error, ConnectionRefusedError):
        raise RetryPage("connection_refused", "nothing listens there")
    raise RetryPage("connection_failed", "no connection could be made")


async def _through(
    target: Target, proxy: str, egress: EgressPolicy, make: Callable[[], P]
) -> tuple[asyncio.Transport, P]:
    parts = urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        addresses = await egress.addresses(host, port)
    except PageError as error:
        raise type(error)(error.reason, f"the job's proxy: {error.detail}") from None
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    try:
        reader, writer = await asyncio.open_connection(
            str(addresses[0]), port, ssl=tls, server_hostname=host if tls else None
        )
        try:
            if parts.scheme.startswith("socks"):
                await _socks_greet(reader, writer, target, (user, password))
            else:
                await _http_connect(reader, writer, target, user, password)
        except BaseException:
            writer.close()
            raise
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
        raise RetryPage("proxy_error", "the proxy could not be reached") from None
    transport = cast("asyncio.Transport", writer.transport)
    protocol = make()
    protocol.held = writer
    # The stream's buffer is empty: neither protocol lets the other side speak before its answer was read.
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    return transport, protocol


async def _http_connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, user: str, password: str
) -> None:
    # Asked for the address that was vetted: what the name means to the proxy is nothing we know of.
    address = target.addresses[0]
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    head = f"CONNECT {host}:{target.port} HTTP/1.1\r\nHost: {host}:{target.port}\r\n"
    if user:
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {secret}\r\n"
    writer.write(f"{head}\r\n".encode("latin-1", "replace"))
    answer = await reader.readuntil(b"\r\n\r\n")
    status = answer[:_ANSWER_BYTES].split(b" ", 2)[1:2]
    if status == [b"407"]:
        raise RetryPage("proxy_error", "the proxy refuses the credentials")
    if status != [b"200"]:
        raise RetryPage("proxy_refused", "the proxy made no connection to the site")
    _hold(writer)


async def _socks_greet(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Target,
    credentials: tuple[str, str],
) -> None:
    """RFC 1928 and RFC 1929. The proxy is told the address that was vetted and never a name, `socks5h` or not."""
    user, password = (text.encode()[:255] for text in credentials)
    writer.write(b"\x05\x01\x02" if user else b"\x05\x01\x00")
    version, method = await reader.readexactly(2)
    if version != 5:
        raise ConnectionError
    if method not in {0, 2}:
        raise RetryPage("proxy_error", "the proxy refuses the credentials")
    if method == 2:
        writer.write(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if (await reader.readexactly(2))[1] != 0:
            raise RetryPage("proxy_error", "the proxy refuses the credentials")
    writer.write(b"\x05\x01\x00" + _packed(target.addresses[0]) + struct.pack("!H", target.port))
    _, status, _, kind = await reader.readexactly(4)
    if status != 0:
        raise RetryPage("proxy_refused", "the proxy made no connection to the site")
    length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    await reader.readexactly(length + 2)
    _hold(writer)


def _packed(address: Address) -> bytes:
    return (b"\x04" if isinstance(address, IPv6Address) else b"\x01") + address.packed


def _hold(writer: asyncio.StreamWriter) -> None:
    """Let nothing come in until the connection has its own protocol."""
    cast("asyncio.Transport", writer.transport).pause_reading()
