"""The gate of a spider: an HTTP proxy on loopback that is its only way out.

The same gate as a page of the browser has, which resolves names under the egress policy and connects to the address that was judged; but it
speaks the language that Scrapy and most libraries speak to proxies (RFC 9110, section 9.3.6, and RFC 9112, section 3.2.2). A connection carries
one request, or one tunnel, to one host: so a message can have no second one hidden in it that would go elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote, urlsplit

from scrapemaster.domain.errors import GiveUpPage, InvalidInput, PageError
from scrapemaster.domain.proxy import parse_proxy
from scrapemaster.fetch.browser.gate import Gate, Inlet
from scrapemaster.fetch.egress import EgressPolicy

#: Bytes of a request's head, or a response's.
_HEAD = 256 * 1024
_REQUEST = re.compile(rb"([A-Z-]{1,32}) ([^\x00-\x20\x7f]{1,65536}) HTTP/1\.[01]\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
#: Headers of one connection, which are not passed on (RFC 9110, section 7.6.1).
_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"te", b"upgrade"}
)


def gate_of(egress: EgressPolicy, proxy: str | None) -> Gate:
    """A gate that is not open yet; `proxy`: by which everything goes on, where the spider chooses no other."""
    return Gate(egress, proxy, inlet=_HttpInlet)


class _HttpInlet(Inlet):
    """From the spider: one request, or a tunnel."""

    greeting = _HEAD

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._tunnel = False
        self._head = b""
        self._answer_head: bytes | None = b""

    def _greet(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return True
        head, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        try:
            host, port, proxy = self._read(head)
        except ValueError as error:
            self._say(400, "bad_request", str(error))
            self.finish()
            return True
        self._start(host, port, proxy)
        return True

    def _read(self, head: bytes) -> tuple[str, int, str | None]:
        """Where the request wants to go; raises `ValueError` for what is none."""
        line = _REQUEST.match(head)
        if line is None:
            raise ValueError("it is no request to a proxy")
        headers = [part for part in head[line.end() : -4].split(b"\r\n") if part]
        names = [part.partition(b":")[0] for part in headers]
        if any(name != name.strip() or not name for name in names) or b"\n" in head.replace(b"\r\n", b""):
            raise ValueError("its headers are not well formed")
        credentials = [
            part.partition(b":")[2].strip()
            for part, name in zip(headers, names, strict=True)
            if name.lower() == b"proxy-authorization"
        ]
        proxy = _proxy_of(credentials[0]) if credentials else None
        method, target = line[1], line[2].decode("latin-1")
        self._tunnel = method.upper() == b"CONNECT"
        parts = urlsplit(f"//{target}" if self._tunnel else target)
        if not parts.hostname or (not self._tunnel and parts.scheme.lower() != "http"):
            raise ValueError("it names no host to go to")
        if not self._tunnel:
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}".encode("latin-1")
            kept = [part for part, name in zip(headers, names, strict=True) if name.lower() not in _HOP]
            self._head = b"\r\n".join(
                [method + b" " + path + b" HTTP/1.1", *kept, b"Connection: close", b"", b""]
            )
        return parts.hostname, parts.port or (443 if self._tunnel else 80), proxy

    def _grant(self) -> None:
        if self._tunnel:
            super().send(b"HTTP/1.1 200 OK\r\n\r\n")
            self._answer_head = None
        else:
            self._buffer = self._head + self._buffer

    def _refuse(self, error: PageError) -> None:
        self._say(403 if isinstance(error, GiveUpPage) else 502, error.reason, error.detail)

    def send(self, data: bytes) -> None:
        """Pass on what came in; the head of an answer says that the connection ends with it, whatever the server meant."""
        while self._answer_head is not None:
            data = self._answer_head + data
            end = data.find(b"\r\n\r\n")
            status = _STATUS.match(data)
            if end < 0 or status is None:
                if len(data) > _HEAD or (len(data) > 16 and status is None):
                    self.abort()
                self._answer_head = data
                return
            head, data = data[: end + 4], data[end + 4 :]
            interim = status[1].startswith(b"1") and status[1] != b"101"
            super().send(head if interim else _closing(head))
            self._answer_head = b"" if interim else None
            if interim and not data:
                return
        super().send(data)

    def _say(self, status: int, reason: str, detail: str) -> None:
        said = re.sub(r"[^\x20-\x7e]", "?", f"{reason} {detail}")[:500]
        self._answer_head = None
        super().send(
            f"HTTP/1.1 {status} gate {reason}\r\nX-ScrapeMaster-Gate: {said}\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n".encode()
        )


def _closing(head: bytes) -> bytes:
    lines = head[:-4].split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _HOP]
    return b"\r\n".join([*kept, b"Connection: close", b"", b""])


def _proxy_of(value: bytes) -> str:
    """The proxy that a project chose, as `outgoing` says it: the proxy's URL and, in base64, its credentials; raises `ValueError`."""
    try:
        said = base64.b64decode(value.removeprefix(b"Basic "), validate=True).decode()
        url, _, credentials = said.partition(" ")
        user, _, password = base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("it names a proxy in no way that is understood") from None
    if user:
        scheme, _, place = url.partition("://")
        url = f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{place.rpartition('@')[2]}"
    try:
        return parse_proxy(url)
    except InvalidInput as error:
        raise ValueError(str(error)) from None
