"""Jobs: orders, answers, failed pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, Self

import orjson
from pydantic import (
    Field,
    model_validator,
)

from scrapemaster.api.schemas.base import Answer
from scrapemaster.api.schemas.config import ConfigBody, Tag, Url
from scrapemaster.api.schemas.spiders import SpiderBody
from scrapemaster.api.schemas.webhooks import WebhookEvent
from scrapemaster.domain.escalation import MEANING, Reason
from scrapemaster.domain.events import EventType
from scrapemaster.domain.job import EngineName, JobStatus, Priority, StopReason
from scrapemaster.domain.webhook import JOB_HOOK_EVENTS
from scrapemaster.services.hooks import JobHook
from scrapemaster.services.jobs import JobOrder


class JobBody(SpiderBody):
    """An order. Either `url` or `urls` says where to start, or a `spider` does."""

    url: Url | None = Field(
        None, description="Where to start (http or https).", examples=["https://example.com/products"]
    )
    urls: list[Url] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="Where to start, when there are several; instead of `url`.",
    )
    engine: Literal["auto", "http", "scrapy", "browser", "playwright"] = Field(
        "auto",
        description="Who fetches. `browser` (or `playwright`) runs the pages' scripts; `auto` asks plainly first and takes the browser for "
        "the pages that need it, and `engines` and each row's `engine_reason` say why; `scrapy` has Scrapy and its components around "
        "plain requests, or runs a `spider` of an uploaded project.",
    )
    priority: Literal["low", "normal", "high"] = Field(
        "normal", description="Who goes first when workers are busy."
    )
    selectors: dict[str, Any] = Field(
        {},
        max_length=500,
        description="Field name → selector: a string (CSS with `::text` and `::attr(name)`, or XPath), or an object. See "
        "the guide to selectors. Empty: title, canonical URL and embedded structured data.",
        examples=[{"title": "h1.product-title::text", "price": "span.price::text"}],
    )
    config: ConfigBody = Field(default_factory=ConfigBody, description="How to crawl.")
    name: str | None = Field(None, min_length=1, max_length=200, description="Yours; echoed back.")
    tags: list[Tag] = Field(
        [], max_length=50, description="Yours; echoed back, and jobs can be listed by tag."
    )
    meta: dict[str, Any] = Field({}, max_length=100, description="Yours; echoed back.")
    webhook_url: Url | None = Field(
        None,
        description="Where to send this job's events, signed. Without `webhook_secret` the answer carries a secret, once.",
        examples=["https://your-app.com/webhook"],
    )
    webhook_events: list[WebhookEvent] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="Events to send to `webhook_url`. Default: that the job ended, however it did.",
        examples=[["job.completed", "job.failed"]],
    )
    webhook_secret: str | None = Field(
        None,
        max_length=200,
        description="Your own signing secret: `whsec_` and the base64 of 24 to 64 random bytes.",
    )

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.spider is not None:
            if self.url is not None or self.urls is not None:
                raise ValueError(
                    "a spider says itself where to start: leave url and urls out, or give spider_args"
                )
        elif (self.url is None) == (self.urls is None):
            raise ValueError("give either url or urls, or the spider of a project")
        return self

    @model_validator(mode="after")
    def _spider_is_whole(self) -> Self:
        self.check_spider(self.engine, self.config)
        if self.spider is not None and self.selectors:
            raise ValueError("selectors say nothing to a spider, which has its own")
        return self

    @model_validator(mode="after")
    def _engine_has_it(self) -> Self:
        rendered = self.engine in {"browser", "playwright"}
        if self.config.browser is not None and not rendered and self.engine != "auto":
            raise ValueError("config.browser says nothing without engine: browser or engine: auto")
        if self.config.scrapy_settings and self.engine != "scrapy":
            raise ValueError("config.scrapy_settings says nothing without engine: scrapy")
        if self.config.impersonate is not None and rendered:
            raise ValueError(
                "config.impersonate says nothing with engine: browser, which is a browser itself"
            )
        return self

    @model_validator(mode="after")
    def _hook_is_whole(self) -> Self:
        if self.webhook_url is None and (self.webhook_events is not None or self.webhook_secret is not None):
            raise ValueError("webhook_events and webhook_secret say nothing without webhook_url")
        return self

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        try:
            orjson.dumps(
                [
                    self.name,
                    self.tags,
                    self.meta,
                    self.selectors,
                    self.config.model_dump(),
                    self.spider_args,
                ]
            )
        except (TypeError, orjson.JSONEncodeError) as error:
            raise ValueError(f"something in it cannot be stored as JSON: {error}") from None
        return self

    def to_order(self) -> JobOrder:
        """The order for the services."""
        engine = "browser" if self.engine == "playwright" else self.engine
        return JobOrder(
            urls=[self.url] if self.url is not None else list(self.urls or ()),
            config=self.config.to_domain(),
            selectors=self.selectors,
            engine=EngineName(engine),
            priority=Priority(self.priority),
            name=self.name,
            tags=self.tags,
            meta=self.meta,
            config_asked=self.config.model_dump(exclude_unset=True),
            hook=self._hook(),
            spider=self.spider_order(self.config),
        )

    def _hook(self) -> JobHook | None:
        if self.webhook_url is None:
            return None
        events = [EventType(event) for event in self.webhook_events or JOB_HOOK_EVENTS]
        hook = JobHook(self.webhook_url, list(dict.fromkeys(events)))
        return hook if self.webhook_secret is None else replace(hook, secret=self.webhook_secret)


def _reasons(first: Reason, last: Reason) -> str:
    """Reasons of the `auto` engine with their meaning, from one to another."""
    every = list(Reason)
    return ", ".join(
        f"`{reason}` ({MEANING[reason]})" for reason in every[every.index(first) : every.index(last) + 1]
    )


class CostAnswer(Answer):
    """What a job took."""

    bytes: int = Field(description="Bytes downloaded, unpacked.", examples=[1_204_000])
    seconds: float = Field(
        description="Seconds spent asking servers, over all pages and tries: more than the job lasted if it asked for "
        "several pages at once.",
        examples=[12.5],
    )


class EngineShare(Answer):
    """What one engine did for a job of `auto`."""

    pages: int = Field(description="Pages whose rows are from it.", examples=[40])
    reasons: dict[str, int] = Field(
        description="The same, by the reason for which it was chosen: for `http` "
        + _reasons(Reason.NO_SCRIPTS, Reason.RENDER_FAILED)
        + "; for `browser` "
        + _reasons(Reason.SCRIPT_SHELL, Reason.ORDERED)
        + ".",
        examples=[{"script_shell": 38, "challenge": 2}],
    )
    fetches: int = Field(
        description="How often it was asked. A page that came plainly and was then rendered counts in both engines.",
        examples=[41],
    )
    seconds: float = Field(description="Seconds that this took.", examples=[25.1])
    bytes: int = Field(description="Bytes that came, unpacked.", examples=[804_000])


class EnginesAnswer(Answer):
    """What each engine did for a job of `auto`."""

    http: EngineShare
    browser: EngineShare


class FieldFill(Answer):
    """How often a selector had a value."""

    filled: int = Field(
        description="Items in which it had one; a value that is its `default` counts as none."
    )
    rate: float = Field(ge=0, le=1, description="Their share of all items.")


class JobAnswer(Answer):
    """A job and its state. Times are UTC."""

    id: str = Field(
        description="Sorts by time of creation.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"]
    )
    url: str = Field(examples=["https://example.com/products"])
    urls: list[str]
    name: str | None
    tags: list[str]
    meta: dict[str, Any]
    engine: EngineName = Field(description="As asked.")
    engine_used: str | None = Field(
        description="Who fetched in fact. Of `auto`: `http`, `browser` or `http+browser`, null before there is a page.",
        examples=["http+browser"],
    )
    engines: EnginesAnswer | None = Field(
        description="What `engine: auto` chose; null for the other engines."
    )
    priority: Priority
    status: JobStatus
    stop_reason: StopReason | None = Field(description="Why it is over.")
    progress: float = Field(ge=0, le=100, description="Percent; never falls.", examples=[45.5])
    pages_discovered: int
    pages_fetched: int
    pages_failed: int
    pages_skipped: int
    pages_unchanged: int = Field(
        description="Pages whose rows an `incremental` job left out, being as before."
    )
    items_scraped: int = Field(examples=[68])
    items_failed: int = Field(
        description="Items dropped because a required field had no value.", examples=[2]
    )
    bytes_downloaded: int
    cost: CostAnswer
    rate: float = Field(description="Pages a second, of late.")
    eta_seconds: float | None = Field(description="Seconds to the end at the present rate.")
    error: str | None
    warnings: list[str]
    fill: dict[str, FieldFill] = Field(
        description="For each selector, nested ones by dotted name: in how many items it had a value.",
        examples=[{"title": {"filled": 68, "rate": 1.0}, "price": {"filled": 34, "rate": 0.5}}],
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    webhook_url: str | None = Field(description="Where this job's events are sent.")
    webhook_events: list[str] = Field(description="Events sent there.", examples=[[]])
    retry_of: str | None = Field(description="The job whose failed pages this one fetches again.")
    schedule_id: str | None = Field(description="The schedule that ordered it.")
    project: str | None = Field(description="The project whose spider it runs, if it does.", examples=[None])
    version: str | None = Field(description="The project's version.", examples=[None])
    spider: str | None = Field(description="The spider.", examples=[None])
    spider_args: dict[str, str] | None = Field(description="The spider's arguments.", examples=[None])
    selectors: dict[str, Any]
    config: dict[str, Any]


class NewJobAnswer(JobAnswer):
    """A job just made."""

    webhook_secret: str | None = Field(
        None,
        description="Signs what is sent to `webhook_url`; only with one, and not shown again.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class FailedPageAnswer(Answer):
    """A page that brought no rows."""

    url: str
    state: str = Field(description="`failed`, or `skipped` by rule.", examples=["failed"])
    reason: str = Field(description="A stable code.", examples=["http_404"])
    detail: str = Field(examples=["the server answered 404"])
    status: int | None = Field(examples=[404])
    attempts: int = Field(examples=[1])
    at: datetime
    evidence: dict[str, str] | None = Field(
        description="For a page that says it is one and is not (`blocked`, `challenge`, `login_wall`, `empty_body`, "
        "`script_shell`): the `mark` that was recognised, the page's `title` and the beginning of its `text`. With `engine: auto` also, "
        "and for every page that failed in the browser, the `engine` and the `engine_reason`.",
        examples=[None],
    )
