"""How a job crawls."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    field_validator,
)

from scrapemaster.api.schemas.base import Body
from scrapemaster.api.schemas.browser import BrowserBody
from scrapemaster.domain.job import JobConfig

Url = Annotated[str, StringConstraints(min_length=1, max_length=8_192)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
Host = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^/\s]+$")]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\uffff]*")
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
#: Headers that belong to the connection or to what was decided elsewhere.
_OURS = frozenset(
    "host content-length transfer-encoding connection upgrade te trailer keep-alive proxy-authorization proxy-connection "
    "expect cookie accept-encoding".split()
)


class ConfigBody(Body):
    """How a job crawls."""

    max_pages: StrictInt | None = Field(
        None,
        ge=1,
        le=100_000_000,
        description="Pages to fetch at most, exactly. Default: 1 for each URL, or 100 with `follow_links`.",
        examples=[10],
    )
    follow_links: StrictBool = Field(
        default=False, description="Follow links found on pages.", examples=[True]
    )
    max_depth: StrictInt | None = Field(
        None,
        ge=0,
        le=10_000,
        description="Links to follow from a start URL, which has depth 0. Default: no limit.",
    )
    allowed_domains: list[Host] | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="Hosts whose pages are fetched, with their subdomains. Default: the hosts of the start URLs.",
        examples=[["example.com"]],
    )
    include: list[Glob] = Field(
        [],
        max_length=200,
        description="Follow only links whose URL matches one of these globs (`*` any characters, `?` one).",
        examples=[["*/products/*"]],
    )
    exclude: list[Glob] = Field(
        [],
        max_length=200,
        description="Follow no link whose URL matches one of these globs.",
        examples=[["*logout*"]],
    )
    item: str | None = Field(
        None,
        min_length=1,
        max_length=4_096,
        description="A container selector: one item for each match, fields relative to it. Default: one item a page.",
        examples=["article.product"],
    )
    concurrency: StrictInt = Field(8, ge=1, le=256, description="Pages in work at once.")
    delay: StrictFloat = Field(0.0, ge=0, le=3_600, description="Seconds between requests to one host.")
    respect_robots: StrictBool = Field(
        default=True, description="Obey robots.txt (RFC 9309), its crawl-delay too."
    )
    timeout: StrictFloat = Field(
        30.0, gt=0, le=600, description="Seconds for a whole page, redirects and body included."
    )
    max_retries: StrictInt = Field(
        3,
        ge=0,
        le=20,
        description="Further tries after connection errors, 408, 429 and 5xx, with growing waits.",
    )
    headers: dict[str, str] = Field(
        {},
        max_length=100,
        description="Request headers. Secret ones are sent to the start URLs' own origins only.",
        examples=[{"Accept-Language": "en"}],
    )
    cookies: dict[str, str] = Field(
        {},
        max_length=100,
        description="Cookies for the start URLs' own hosts.",
        examples=[{"session": "abc"}],
    )
    user_agent: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="User-Agent header, and the name matched in robots.txt.",
    )
    impersonate: str | None = Field(
        None,
        max_length=64,
        description="Browser whose TLS, HTTP/2 and headers are imitated, its `User-Agent` among them: so `user_agent` and headers "
        "that name a browser cannot go with it. `Accept-Language` can.",
        examples=["chrome137"],
    )
    proxy: str = Field(
        "none",
        max_length=2_048,
        description="`none`; `pool`, or `pool:tag`, for proxies that an admin put into the pool; or the URL of a proxy of your own "
        "(http, https, socks5), whose address the egress policy must allow.",
        examples=["none"],
    )
    max_duration: StrictFloat | None = Field(
        None,
        gt=0,
        le=31_536_000,
        description="Seconds of running after which the job completes with what it has.",
    )
    max_body_bytes: StrictInt = Field(
        10 * 1024 * 1024, ge=1_024, le=1024**3, description="Largest page, in bytes after decompression."
    )
    sitemap: StrictBool = Field(
        default=False, description="Also fetch the pages that the site's sitemaps name."
    )
    sort_query: StrictBool = Field(
        default=False, description="Treat URLs as equal whose query parameters differ only in order."
    )
    verify_tls: StrictBool = Field(default=True, description="Refuse servers whose certificate is not valid.")
    formats: list[Literal["data", "markdown", "html", "links", "structured"]] = Field(
        ["data"],
        min_length=1,
        max_length=5,
        description="What to keep of a page: `data` (what the selectors give), its `markdown`, its source as `html`, its "
        "`links`, its `structured` data. All but `data` are of whole pages and go into the page's row under these names.",
        examples=[["data", "markdown"]],
    )
    browser: BrowserBody | None = Field(
        None,
        description="How pages are rendered; for `engine: browser` and `engine: auto`. With `auto`, asking for anything that only a browser "
        "does (`wait_for`, `scroll`, `actions`, `screenshot`, `pdf`) has every page rendered.",
    )
    adaptive_throttle: StrictBool | None = Field(
        None,
        description="Find out how many requests a host answers well at once: begin with few, more while it answers quickly, half when "
        "it answers 429, 5xx or not at all. Never more than `concurrency`. Default: true with `engine: auto`, else false.",
        examples=[True],
    )
    scrapy_settings: dict[str, Any] = Field(
        {},
        max_length=100,
        description="Settings of Scrapy, by their names there; for `engine: scrapy` alone. Which there are, and what the operator allows "
        "besides, is told in the guide to engines. With a `spider` they go before its project's; those that name code, files or ports "
        "are the project's alone then.",
        examples=[{"AUTOTHROTTLE_ENABLED": True, "AUTOTHROTTLE_TARGET_CONCURRENCY": 4, "DEPTH_PRIORITY": 1}],
    )
    incremental: StrictBool = Field(
        default=False,
        description="Keep only the rows of pages that are new or yield other rows than in the last completed incremental job of "
        "the same `name`. The first one keeps all. The other pages are counted in `pages_unchanged`.",
    )

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if len(name) > 256 or _TOKEN.fullmatch(name) is None:
                raise ValueError(f"{name[:60]!r} is not a header's name")
            if name.lower() in _OURS:
                hint = "; use config.cookies" if name.lower() == "cookie" else ""
                raise ValueError(f"the header {name} cannot be set{hint}")
            if len(value) > 8_192 or _VALUE.fullmatch(value) is None:
                raise ValueError(f"the value of the header {name} has characters that headers cannot have")
        return headers

    @field_validator("cookies")
    @classmethod
    def _cookies(cls, cookies: dict[str, str]) -> dict[str, str]:
        for name, value in cookies.items():
            if len(name) > 256 or _TOKEN.fullmatch(name) is None:
                raise ValueError(f"{name[:60]!r} is not a cookie's name")
            if len(value) > 4_096 or _COOKIE_VALUE.fullmatch(value) is None:
                raise ValueError(f"the value of the cookie {name} has characters that cookies cannot have")
        return cookies

    @field_validator("scrapy_settings")
    @classmethod
    def _headers_of_scrapy(cls, settings: dict[str, Any]) -> dict[str, Any]:
        headers, agent = settings.get("DEFAULT_REQUEST_HEADERS"), settings.get("USER_AGENT")
        if isinstance(headers, dict) and all(isinstance(text, str) for text in headers.values()):
            cls._headers(headers)
        if isinstance(agent, str):
            cls._one_line(agent)
        return settings

    @field_validator("user_agent")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and (not value.isascii() or not value.isprintable()):
            raise ValueError("must be printable ASCII")
        return value

    def to_domain(self) -> JobConfig:
        """The config with its defaults filled in; `max_pages` 0 where it was not given."""
        values = self.model_dump(exclude={"browser", "max_pages"})
        rendering = (self.browser or BrowserBody()).to_domain()
        return JobConfig(**values, browser=rendering, max_pages=self.max_pages or 0)
