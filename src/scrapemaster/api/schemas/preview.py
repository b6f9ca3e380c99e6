"""Previews: a dry run of selectors."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Field, StringConstraints, model_validator

from scrapemaster.api.schemas.base import Answer, Body
from scrapemaster.api.schemas.config import ConfigBody, Url
from scrapemaster.api.schemas.jobs import FieldFill
from scrapemaster.domain.job import EngineName
from scrapemaster.services.jobs import JobOrder
from scrapemaster.services.preview import NO_URL


class PreviewBody(Body):
    """A page and selectors to try on it."""

    url: Url | None = Field(
        None,
        description="The page to fetch; with `html`, what its references are relative to.",
        examples=["https://example.com/products"],
    )
    html: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None,
        description="The page itself, instead of one to fetch: HTML, or JSON or XML, known by how they begin.",
        examples=[None],
    )
    engine: Literal["auto", "http", "scrapy", "browser", "playwright"] = Field(
        "auto", description="Who fetches; as for jobs."
    )
    selectors: dict[str, Any] = Field(
        {},
        max_length=500,
        description="As for jobs.",
        examples=[{"title": "h1.product-title::text", "price": "span.price::text"}],
    )
    config: ConfigBody = Field(
        default_factory=ConfigBody,
        description="As for jobs. One page is fetched whatever it says; `timeout` is 60 s at most.",
    )

    @model_validator(mode="after")
    def _a_page(self) -> Self:
        if self.url is None and self.html is None:
            raise ValueError("give a url or html")
        return self

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        try:
            orjson.dumps([self.selectors, self.config.model_dump()])
        except (TypeError, orjson.JSONEncodeError) as error:
            raise ValueError(f"something in it cannot be written as JSON: {error}") from None
        return self

    def to_order(self) -> JobOrder:
        """The order for the services."""
        return JobOrder(
            urls=[self.url if self.url is not None else NO_URL],
            config=self.config.to_domain(),
            selectors=self.selectors,
            engine=EngineName("browser" if self.engine == "playwright" else self.engine),
        )


class LookBody(Body):
    """A page to look at."""

    url: Url = Field(description="The page.", examples=["https://example.com/products"])
    engine: Literal["auto", "http", "scrapy", "browser", "playwright"] = Field(
        "auto", description="Who fetches; as for jobs."
    )
    config: ConfigBody = Field(
        default_factory=ConfigBody,
        description="As for jobs: `headers`, `cookies`, `timeout` and so on of the one request.",
    )

    def to_order(self) -> JobOrder:
        """The order for the services."""
        engine = EngineName("browser" if self.engine == "playwright" else self.engine)
        return JobOrder(urls=[self.url], config=self.config.to_domain(), engine=engine)


class SelectorMatches(Answer):
    """What one selector matched."""

    count: int = Field(
        description="Matches on the page, over all that the selector above it matched.", examples=[12]
    )
    first: list[str] = Field(
        description="The first five as text, before transforms, 500 characters of each.",
        examples=[["Alpha", "Beta"]],
    )


class PreviewFailure(Answer):
    """Why there is no page."""

    reason: str = Field(description="A stable code; see the table of reason codes.", examples=["http_404"])
    detail: str = Field(examples=["the server answered 404"])
    status: int | None = Field(examples=[404])
    evidence: dict[str, str] | None = Field(
        description="For pages that are none: what was recognised.", examples=[None]
    )


class PreviewTiming(Answer):
    """Where the time went, in seconds."""

    fetch: float
    extract: float


class PreviewAnswer(Answer):
    """What the selectors give on the page."""

    url: str = Field(description="Where the page was in the end.", examples=["https://example.com/products"])
    status: int | None = Field(
        description="The server's; null for `html` and when there was none.", examples=[200]
    )
    engine: str | None = Field(description="Who fetched; null for `html`.", examples=["http"])
    engine_reason: str | None = Field(
        description="Why `engine: auto` took that one; null for the other engines.", examples=["complete"]
    )
    timing: PreviewTiming
    items: list[dict[str, Any]] = Field(description="The first 100, and of large ones fewer.")
    items_total: int
    items_failed: int = Field(description="Items dropped because a required field had no value.")
    matches: dict[str, SelectorMatches] = Field(
        description="By selector, nested ones by dotted name; the container as `config.item`."
    )
    fill: dict[str, FieldFill]
    warnings: list[str]
    error: PreviewFailure | None = Field(
        description="Null if all went well. A page that cannot be had is no error of the request, which is answered by 200."
    )


class LookAnswer(Answer):
    """A page to look at."""

    url: str = Field(description="Where the page was in the end.", examples=["https://example.com/products"])
    status: int | None = Field(description="The server's.", examples=[200])
    engine: str | None = Field(description="Who fetched.", examples=["http"])
    title: str = Field(examples=["Products"])
    html: str = Field(
        description="The page without whatever runs or loads something, 4,000,000 characters at most.",
        examples=["<html><body><h1>Products</h1></body></html>"],
    )
    css: list[str] = Field(
        description="Its styles, in which nothing loads anything.", examples=[["h1 { color: green }"]]
    )
    links: list[str] = Field(
        description="The first 200 pages it links to.", examples=[["https://example.com/products?page=2"]]
    )
    truncated: bool = Field(description="Whether `html` is only the beginning.")
    error: PreviewFailure | None = Field(description="Why there is no page; null if there is one.")
