"""One page over HTTP: redirects followed hop by hop, each vetted; secrets kept to their own sites."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl, PageError, RetryPage
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.proxy import Proxy, address_of, is_pool
from scrapemaster.domain.url import join_url, origin_of, parse_url
from scrapemaster.fetch.adaptive import adapts
from scrapemaster.fetch.client import FOREIGN, ClientPool, ClientSpec, Jar, ours, read_body, translated
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.session import Session, Site
from scrapemaster.fetch.status import HEAD_BYTES, MAX_REDIRECTS, REDIRECTS, TELLING, refusal
from scrapemaster.ports.throttle import Throttle

USER_AGENT = "Mozilla/5.0 (compatible; ScrapeMaster/0.1)"
#: Seconds for which a site's vetting is remembered.
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


class HttpFetcher:
    """One job's way over HTTP: its headers, identity and limits. Cookies and the proxy are a session's.

    `home` are URLs whose origins the job's secret headers and cookies are meant for.
    """

    def __init__(
        self, config: JobConfig, home: list[str], egress: EgressPolicy, throttle: Throttle, pool: ClientPool
    ) -> None:
        self._egress = egress
        self._throttle = throttle
        self._adapting = adapts(throttle)
        self._pool = pool
        self._config = config
        self._home = home_origins(home)
        self._secret_headers = dict(config.headers)
        self._open_headers = harmless(config.headers)
        self.session = self.new_session()

    def new_session(self, pooled: Proxy | None = None) -> Session:
        """A fresh session with the job's identity and cookies, over a proxy of the pool, or over the job's own if it has one."""
        config = self._config
        jar = Jar()
        for origin in self._home:
            for name, value in config.cookies.items():
                jar.add(f"{name}={value}; Path=/", f"{origin}/")
        user_agent = config.user_agent
        if user_agent is None and config.impersonate is None:
            user_agent = USER_AGENT
        own = None if config.proxy == "none" or is_pool(config.proxy) else config.proxy
        return Session(jar, user_agent, config.impersonate, own if pooled is None else pooled.url, pooled)

    def renew(self) -> None:
        """Give up the job's session, because a site blocked it."""
        self.session = self.new_session()

    async def fetch(
        self,
        url: str,
        *,
        delay: float = 0.0,
        limit: int | None = None,
        truncate: bool = False,
        allow: Any = None,
        session: Session | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: bool = True,
    ) -> Page:
        """Fetch a page; see `ports.engine.PageSource.fetch`. Any end but a 2xx page is raised.

        `delay`: seconds the host is left alone after this. `allow(url)`, awaited, may refuse a redirect's target by raising.
        `session`: the one to use; the job's own if None. `headers` go to this URL's origin over the job's own, and the harmless ones of
        them wherever it redirects to. Without `cookies` none are sent or kept.
        """
        origin = origin_of(url)
        session = session or self.session
        if session.pooled is None and is_pool(self._config.proxy):
            raise GiveUpPage("proxies_exhausted", "this process has no proxy pool")
        left = self._config.timeout
        redirects: list[str] = []
        spent = 0.0
        while True:
            site = session.sites.get(origin_of(url))
            if site is None or site.vetted_until < time.monotonic():
                site = await self._vet(url, session)
            await self._throttle.acquire(site.host, delay)
            options = self._options(url, site, session if cookies else None, headers, origin)
            if redirects:
                options["timeout"] = timedelta(seconds=left)
            started = time.monotonic()
            try:
                found = await self._hop(
                    url, site, options, limit or self._config.max_body_bytes, session, truncate=truncate
                )
            except PageError as error:
                raise self._failed(error, site.host, started, spent, session)  # noqa: B904 -- the same error
            finally:
                self._throttle.release(site.host)
            took = time.monotonic() - started
            if self._adapting is not None:
                self._adapting.told(site.host, took, indirect=session.pooled is not None)
            spent += took
            if isinstance(found, str):
                redirects.append(url)
                if len(redirects) > MAX_REDIRECTS:
                    raise GiveUpPage(
                        "too_many_redirects", f"more than {MAX_REDIRECTS} redirects, the last to {found}"
                    )
                if found in redirects and not session.jar.get_all():
                    raise GiveUpPage("redirect_loop", f"redirected in a circle, back to {found}")
                url = found
                if allow is not None:
                    await allow(url)
                left = max(0.001, left - (time.monotonic() - started))
                continue
            status, headers, body = found
            return Page(url, status, headers, body, spent, time.time(), tuple(redirects))

    def _failed(
        self, error: PageError, host: str, started: float, spent: float, session: Session
    ) -> PageError:
        """The error of a request begun at `started`, with its time; who adapts is told of it."""
        took = time.monotonic() - started
        error.elapsed = spent + took
        if self._adapting is not None:
            self._adapting.told(host, took, error, indirect=session.pooled is not None)
        return error

    def _options(
        self, url: str, site: Site, session: Session | None, extra: Mapping[str, str] | None, origin: str
    ) -> dict[str, Any]:
        """What a request is sent with; cookies where there is a session. `extra` headers are meant for `origin`."""
        options: dict[str, Any] = {} if session is None else {"cookie_provider": session.jar}
        headers = self._secret_headers if site.secrets else self._open_headers
        if extra:
            headers = _over(headers, extra if origin_of(url) == origin else harmless(extra))
        if headers:
            options["headers"] = headers
        return options

    async def _hop(
        self, url: str, site: Site, options: dict[str, Any], limit: int, session: Session, *, truncate: bool
    ) -> str | tuple[int, LazyHeaders, bytes]:
        """One request: the URL it redirects to, or a 2xx response."""
        try:
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
        except FOREIGN as raised:
            raise ours(raised) from None
        headers_of = LazyHeaders(response.headers)
        if status in REDIRECTS and (location := response.headers.get("location")) is not None:
            return redirect_target(url, bytes(location), status)
        error = self._refusal(status, headers_of, session, site)
        if status in TELLING:
            error.page = Page(url, status, headers_of, head, 0.0, time.time())
        raise error

    def _refusal(self, status: int, headers: LazyHeaders, session: Session, site: Site) -> PageError:
        """What a status that brings no page means."""
        if status == 407 and session.proxy is not None:
            return RetryPage("proxy_error", "the proxy refuses the credentials", status)

        def pause(seconds: float) -> None:
            # 429 speaks to an address: over the pool it holds up the proxy that was told so, and not the host.
            if status != 429 or session.pooled is None:
                self._throttle.pause(site.host, seconds)

        return refusal(status, headers.get("retry-after"), pause)

    @staticmethod
    def _check_address(response: Any, site: Site) -> None:
        """The address that was connected to must be one that was vetted."""
        remote = response.remote_addr
        if remote is not None and remote.ip() not in site.allowed:
            raise GiveUpPage(
                "egress_denied", f"{site.host} was reached at {remote.ip()}, which was not vetted"
            )

    async def _vet(self, url: str, session: Session) -> Site:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        allowed = addresses = await self._egress.addresses(host, port)
        pins = [(host, addresses)]
        if session.proxy is not None:
            name, allowed = await self._vet_proxy(session.proxy, pooled=session.pooled is not None)
            # Last, should a site have its proxy's name: then the proxy is what is connected to.
            pins.append((name, allowed))
        spec = ClientSpec(
            tuple(pins),
            self._config.timeout,
            session.user_agent,
            session.impersonate,
            self._config.verify_tls,
            _resolved_here(session.proxy),
            # Some HTTP proxies close after each response without saying so; in a tunnel the site itself would say it.
            keep=session.proxy is None or parts.scheme == "https" or session.proxy.startswith("socks"),
        )
        origin = origin_of(url)
        site = Site(host, spec, frozenset(allowed), origin in self._home, time.monotonic() + _VETTED_SECONDS)
        session.remember(origin, site)
        return site

    async def _vet_proxy(self, proxy: str, *, pooled: bool) -> tuple[str, tuple[Any, ...]]:
        host, port = address_of(proxy)
        try:
            return host, await self._egress.addresses(host, port)
        except GiveUpPage as error:
            if pooled:
                raise RetryPage("proxy_error", f"the proxy's own address: {error.detail}") from None
            raise GiveUpPage(error.reason, f"the job's proxy: {error.detail}") from None
        except RetryPage as error:
            raise RetryPage("proxy_error", f"the job's proxy: {error.detail}") from None


def _resolved_here(proxy: str | None) -> str | None:
    """The proxy's URL with which it is told the vetted address of a site, and not its name, where its protocol can."""
    return proxy.replace("socks5h://", "socks5://", 1) if proxy is not None else None


def home_origins(urls: Iterable[str]) -> set[str]:
    """The origins that a job's secret headers and cookies are meant for: its URLs', and the same over https."""
    origins = {origin_of(url) for url in urls}
    return origins | {_upgraded(origin) for origin in origins}


def _over(headers: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Headers with others in the place of those of the same name."""
    named = {name.lower() for name in others}
    return {**{name: text for name, text in headers.items() if name.lower() not in named}, **others}


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
