"""The part of an order that names a spider."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from scrapemaster.api.schemas.base import Body
from scrapemaster.domain.spider import SpiderOrder

SpiderName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ArgumentText = Annotated[str, StringConstraints(max_length=65_536)]

#: What of a job's config is a setting of Scrapy's.
_AS_SETTINGS = {
    "concurrency": "CONCURRENT_REQUESTS",
    "delay": "DOWNLOAD_DELAY",
    "respect_robots": "ROBOTSTXT_OBEY",
    "timeout": "DOWNLOAD_TIMEOUT",
    "max_depth": "DEPTH_LIMIT",
    "user_agent": "USER_AGENT",
    "max_body_bytes": "DOWNLOAD_MAXSIZE",
}
#: All that means something to a spider.
_CONFIG = frozenset({*_AS_SETTINGS, "max_pages", "max_duration", "max_retries", "proxy", "scrapy_settings"})


class SpiderBody(Body):
    """A spider to run, if any."""

    spider: SpiderName | None = Field(
        None,
        description="Run this spider of an uploaded Scrapy project, with `engine: scrapy`; it says itself where to start.",
        examples=["products"],
    )
    project: SpiderName | None = Field(
        None,
        description="The spider's project. Default: the only one that has such a spider.",
        examples=["shop"],
    )
    version: SpiderName | None = Field(
        None, description="The project's version. Default: the one uploaded last.", examples=["1.0"]
    )
    spider_args: dict[SpiderName, ArgumentText] = Field(
        {},
        max_length=100,
        description="Arguments for the spider, as `scrapy crawl -a` gives them: texts.",
        examples=[{"category": "lamps"}],
    )

    def check_spider(self, engine: str, config: BaseModel) -> None:
        """Raise `ValueError` when what is said of a spider is not whole, or the rest of the order does not go with it."""
        if self.spider is None:
            said = {"project", "version", "spider_args"} & self.model_fields_set
            if said:
                raise ValueError(f"{min(said)} says nothing without spider")
            return
        if engine != "scrapy":
            raise ValueError("a spider runs with engine: scrapy")
        if self.version is not None and self.project is None:
            raise ValueError("version says nothing without project")
        if foreign := config.model_fields_set - _CONFIG:
            raise ValueError(
                f"config.{min(foreign)} says nothing to a spider; these do: {', '.join(sorted(_CONFIG))}"
            )

    def spider_order(self, config: BaseModel) -> SpiderOrder | None:
        """The order for the services; None without a spider."""
        if self.spider is None:
            return None
        values = config.model_dump()
        given = config.model_fields_set & set(_AS_SETTINGS)
        return SpiderOrder(
            name=self.spider,
            project=self.project or "",
            version=self.version or "",
            args=self.spider_args,
            settings={_AS_SETTINGS[name]: values[name] for name in given if values[name] is not None}
            | values["scrapy_settings"],
            pages=values["max_pages"],
            restarts=values["max_retries"],
        )
