"""Whether a proxy works: a handshake with it alone, or a page through it."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit

from scrapemaster.domain.errors import PageError
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.proxy import address_of, credentials_of
from scrapemaster.domain.proxy_choice import Blame, blame_of
from scrapemaster.fetch.client import ClientPool
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.http import HttpFetcher
from scrapemaster.fetch.throttle import Throttle

#: Seconds a check may take.
CHECK_SECONDS = 15.0
#: A name that never resolves (RFC 6761, section 6.4): whatever a proxy answers when asked for it, it answers.
_NOWHERE = "http://proxy-check.invalid/"
#: Bytes of a page that a check reads at most.
_PAGE_BYTES = 65_536


@dataclass(slots=True, frozen=True)
class Checked:
    """What a check found: whether the proxy works, the seconds it took, a sentence, and a page's status if one was asked for."""

    ok: bool
    seconds: float
    detail: str
    status: int | None = None


async def check_proxy(url: str, egress: EgressPolicy, page: str | None = None) -> Checked:
    """Check a proxy by its normal URL: by a handshake, or by fetching a (normal) page URL through it. Raises nothing.

    A page counts whatever its status, unless that says that the proxy is at fault or banned.
    """
    began = time.monotonic()
    status = None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            if page is None:
                await _greet(url, egress)
                detail = "it answers"
            else:
                status = await _fetched(url, egress, page)
                detail = f"a page came through it with status {status}"
    except PageError as error:
        return Checked(ok=False, seconds=time.monotonic() - began, detail=str(error), status=error.status)
    except TimeoutError:
        return Checked(ok=False, seconds=CHECK_SECONDS, detail=f"no answer within {CHECK_SECONDS:.0f} s")
    except (OSError, EOFError, ValueError, asyncio.IncompleteReadError) as error:
        # The event loop's own words for it name the address again.
        number = error.errno if isinstance(error, OSError) else None
        words = os.strerror(number) if number is not None and number > 0 else "it broke the connection off"
        return Checked(ok=False, seconds=time.monotonic() - began, detail=f"no connection: {words}")
    return Checked(ok=True, seconds=time.monotonic() - began, detail=detail, status=status)


async def _fetched(url: str, egress: EgressPolicy, page: str) -> int:
    """The status that a page came with; raises `PageError` when that is the proxy's fault."""
    clients = ClientPool()
    config = JobConfig(proxy=url, timeout=CHECK_SECONDS)
    fetcher = HttpFetcher(config, [], egress, Throttle(1), clients)
    try:
        return (await fetcher.fetch(page, limit=_PAGE_BYTES, truncate=True)).status
    except PageError as error:
        if error.status is None or blame_of(error.reason, error.status) is not Blame.NONE:
            raise
        return error.status
    finally:
        clients.close()


async def _greet(url: str, egress: EgressPolicy) -> None:
    host, port = address_of(url)
    addresses = await egress.addresses(host, port)
    scheme = urlsplit(url).scheme
    context = ssl.create_default_context() if scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        str(addresses[0]), port, ssl=context, server_hostname=host if context else None
    )
    try:
        if scheme in {"socks5", "socks5h"}:
            await _greet_socks(reader, writer, credentials_of(url))
        else:
            await _greet_http(reader, writer, credentials_of(url))
    finally:
        writer.close()


async def _greet_socks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, credentials: tuple[str, str] | None
) -> None:
    """The greeting of RFC 1928, section 3, and the names of RFC 1929."""
    writer.write(b"\x05\x01\x00" if credentials is None else b"\x05\x01\x02")
    version, method = await reader.readexactly(2)
    if version != 5:
        raise PageError("proxy_error", "what answers there is no SOCKS 5 proxy")
    if method == 0xFF:
        raise PageError("proxy_error", _WANTS_OTHER if credentials is None else _REFUSED)
    if method == 2 and credentials is not None:
        user, password = (part.encode() for part in credentials)
        writer.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if (await reader.readexactly(2))[1] != 0:
            raise PageError("proxy_error", _REFUSED)


async def _greet_http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, credentials: tuple[str, str] | None
) -> None:
    lines = [f"HEAD {_NOWHERE} HTTP/1.1", f"Host: {urlsplit(_NOWHERE).netloc}", "Connection: close"]
    if credentials is not None:
        lines.append(f"Proxy-Authorization: Basic {b64encode(':'.join(credentials).encode()).decode()}")
    writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    answer = await reader.readline()
    protocol, _, rest = answer.partition(b" ")
    if not protocol.startswith(b"HTTP/1."):
        raise PageError("proxy_error", "what answers there is no HTTP proxy")
    if rest[:3] in {b"407", b"401"}:
        raise PageError("proxy_error", _WANTS_OTHER if credentials is None else _REFUSED)


_WANTS_OTHER = "the proxy wants credentials"
_REFUSED = "the proxy refuses the credentials"
