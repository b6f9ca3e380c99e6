"""One page over HTTP: redirects followed hop by hop, each vetted; secrets kept to their own sites."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl, PageError, RetryPage
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.url import join_url, origin_of, parse_url
from scrapemaster.fetch.client import ClientPool, ClientSpec, Jar, read_body, translated
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.status import HEAD_BYTES, MAX_REDIRECTS, REDIRECTS, TELLING, refusal
from scrapemaster.ports.throttle import Throttle

USER_AGENT = "Mozilla/5.0 (compatible; ScrapeMaster/0.1)"
#: Sites (scheme, host, port) whose vetting a job remembers, and for how many seconds.
_SITES = 1_000
_VETTED_SECONDS = 60.0
#: A body that small is read before its connection is used again; a larger one is not worth it.
_DRAIN = 16_384
#: Seconds for the beginning of a refusal's body.
_HEAD_SECONDS = 3.0
#: Headers of a job that say nothing secret and may go to any site.
_HARMLESS = frozenset(
    {"accept", "accept-language", "cache-control", "dnt", "pragma", "user-agent", "upgrade-insecure-requests"}
)


class LazyHeaders(Mapping[str, str]):
    """Response headers with lower-case names, decoded when they are asked for; repeated ones joined by `, `."""

    __slots__ = ("_decoded", "_headers")

    def __init__(self, headers: Any) -> None:
        self._headers = headers
        self._decoded: dict[str, str] | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """One header."""
        found = self._headers.get(key)
        return default if found is None else bytes(found).decode("latin-1")

    def __getitem__(self, key: str) -> str:
        found = self._headers.get(key)
        if found is None:
            raise KeyError(key)
        return bytes(found).decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        if self._decoded is None:
            decoded: dict[str, str] = {}
            for name, value in self._headers:
                key, text = bytes(name).decode("latin-1"), bytes(value).decode("latin-1")
                decoded[key] = f"{decoded[key]}, {text}" if key in decoded else text
            self._decoded = decoded
        return self._decoded


@dataclass(slots=True)
class _Site:
    host: str
    spec: ClientSpec
    allowed: frozenset[Any]
    secrets: bool
    vetted_until: float


class HttpFetcher:
    """One job's way over HTTP: its cookies, headers, identity and limits.

    `home` are URLs whose origins the job's secret headers and cookies are meant for.
    """

    def __init__(
        self, config: JobConfig, home: list[str], egress: EgressPolicy, throttle: Throttle, pool: ClientPool
    ) -> None:
        self._egress = egress
        self._throttle = throttle
        self._pool = pool
        self._config = config
        self._jar = Jar()
        self._sites: OrderedDict[str, _Site] = OrderedDict()
        self._home = home_origins(home)
        self._proxy = None if config.proxy == "none" else config.proxy
        self._secret_headers = dict(config.headers)
        self._open_headers = harmless(config.headers)
        for origin in self._home:
            for name, value in config.cookies.items():
                self._jar.add(f"{name}={value}; Path=/", f"{origin}/")
        user_agent = config.user_agent
        if user_agent is None and config.impersonate is None:
            user_agent = USER_AGENT
        self._user_agent = user_agent

    async def fetch(
        self,
        url: str,
        *,
        delay: float = 0.0,
        limit: int | None = None,
        truncate: bool = False,
        allow: Any = None,
    ) -> Page:
        """Fetch a page; see `ports.engine.PageSource.fetch`. Any end but a 2xx page is raised.

        `delay`: seconds the host is left alone after this. `allow(url)`, awaited, may refuse a redirect's target by raising.
        """
        left = self._config.timeout
        redirects: list[str] = []
        spent = 0.0
        while True:
            site = self._sites.get(origin_of(url))
            if site is None or site.vetted_until < time.monotonic():
                site = await self._vet(url)
            await self._throttle.acquire(site.host, delay)
            started = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    found = await self._hop(
                        url, site, limit or self._config.max_body_bytes, truncate=truncate
                    )
            except TimeoutError:
                late = RetryPage("timeout", f"the page was not there after {self._config.timeout:g} s")
                late.elapsed = spent + time.monotonic() - started
                raise late from None
            except PageError as error:
                error.elapsed = spent + time.monotonic() - started
                raise
            finally:
                self._throttle.release(site.host)
            spent += time.monotonic() - started
            if isinstance(found, str):
                redirects.append(url)
                if len(redirects) > MAX_REDIRECTS:
                    raise GiveUpPage(
                        "too_many_redirects", f"more than {MAX_REDIRECTS} redirects, the last to {found}"
                    )
                if found in redirects and not self._sets_cookies():
                    raise GiveUpPage("redirect_loop", f"redirected in a circle, back to {found}")
                url = found
                if allow is not None:
                    await allow(url)
                left = max(0.001, left - (time.monotonic() - started))
                continue
            status, headers, body = found
            return Page(url, status, headers, body, spent, time.time(), tuple(redirects))

    def _sets_cookies(self) -> bool:
        return bool(self._jar.get_all())

    async def _hop(
        self, url: str, site: _Site, limit: int, *, truncate: bool
    ) -> str | tuple[int, LazyHeaders, bytes]:
        """One request: the URL it redirects to, or a 2xx response."""
        options: dict[str, Any] = {"cookie_provider": self._jar}
        headers = self._secret_headers if site.secrets else self._open_headers
        if headers:
            options["headers"] = headers
        with translated():
            response = await self._pool.client(site.spec).get(url, **options)
            self._check_address(response, site)
            status: int = response.status.as_int()
            if 200 <= status < 300:
                body = await read_body(response, limit, truncate=truncate)
                return status, _unpacked(LazyHeaders(response.headers)), body
            head = b""
            length = response.content_length
            if status in TELLING:
                head = await _head_of(response)
            elif length is not None and length <= _DRAIN:
                await response.bytes()
            else:
                await response.close()
        headers_of = LazyHeaders(response.headers)
        if status in REDIRECTS and (location := response.headers.get("location")) is not None:
            return redirect_target(url, bytes(location), status)
        error = refusal(
            status, headers_of.get("retry-after"), lambda seconds: self._throttle.pause(site.host, seconds)
        )
        if status in TELLING:
            error.page = Page(url, status, headers_of, head, 0.0, time.time())
        raise error

    def _check_address(self, response: Any, site: _Site) -> None:
        """The address that was connected to must be one that was vetted."""
        remote = response.remote_addr
        if self._proxy is None and remote is not None and remote.ip() not in site.allowed:
            raise GiveUpPage(
                "egress_denied", f"{site.host} was reached at {remote.ip()}, which was not vetted"
            )

    async def _vet(self, url: str) -> _Site:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await self._egress.addresses(host, port)
        pins = [(host, addresses)]
        if self._proxy is not None:
            pins.append(await self._vet_proxy(self._proxy))
        spec = ClientSpec(
            tuple(pins),
            self._config.timeout,
            self._user_agent,
            self._config.impersonate,
            self._config.verify_tls,
            self._proxy,
        )
        origin = origin_of(url)
        site = _Site(
            host, spec, frozenset(addresses), origin in self._home, time.monotonic() + _VETTED_SECONDS
        )
        self._sites[origin] = site
        if len(self._sites) > _SITES:
            self._sites.popitem(last=False)
        return site

    async def _vet_proxy(self, proxy: str) -> tuple[str, tuple[Any, ...]]:
        parts = urlsplit(proxy)
        host = parts.hostname or ""
        try:
            addresses = await self._egress.addresses(host, parts.port or 1080)
        except PageError as error:
            raise type(error)(error.reason, f"the job's proxy: {error.detail}") from None
        return host, addresses


def home_origins(urls: Iterable[str]) -> set[str]:
    """The origins that a job's secret headers and cookies are meant for: its URLs', and the same over https."""
    origins = {origin_of(url) for url in urls}
    return origins | {_upgraded(origin) for origin in origins}


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a job's headers that say nothing secret and may go to any site."""
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}


async def _head_of(response: Any) -> bytes:
    """The beginning of the body of a refusal; nothing, if it does not come soon."""
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            with translated():
                return await read_body(response, HEAD_BYTES, truncate=True)
    except (PageError, TimeoutError):
        return b""


def _unpacked(headers: LazyHeaders) -> LazyHeaders:
    """The headers of a body that is unpacked; the client library removes Content-Encoding where it unpacked."""
    left = headers.get("content-encoding")
    if left is not None and left.strip().lower() not in {"", "identity"}:
        raise GiveUpPage("bad_encoding", f"the body is packed as {left[:60]!r}, which is not understood")
    return headers


def _upgraded(origin: str) -> str:
    """The same site over https, when the ports are the default ones."""
    scheme, _, rest = origin.partition("://")
    return f"https://{rest}" if scheme == "http" and ":" not in rest.rpartition("]")[2] else origin


def redirect_target(url: str, location: bytes, status: int) -> str:
    """Where a redirect leads; raises `GiveUpPage` if nowhere we go."""
    try:
        text = location.decode("utf-8")
    except UnicodeDecodeError:
        text = quote(location, safe="%/:?#[]@!$&'()*+,;=-._~")
    target = join_url(url, text.strip())
    if target is None:
        shown = text[:200]
        try:
            parse_url(text)
        except InvalidUrl as error:
            raise GiveUpPage("bad_redirect", f"redirected to {shown!r}: {error}", status) from None
        raise GiveUpPage("bad_redirect", f"redirected to {shown!r}, which cannot be followed", status)
    return target
