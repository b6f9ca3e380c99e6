"""Spiders that others wrote: projects as they are kept, and orders to run one of their spiders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.ids import UserId

#: Bytes of a chunk of an archive at most: what every store can hold in one row or document.
CHUNK_BYTES = 1024 * 1024
#: Versions of all projects that a store keeps.
MOST_VERSIONS = 1_000

_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
#: Settings of Scrapy that an order may give: none of them names code, a file or a port.
_SETTINGS = frozenset(
    "AUTOTHROTTLE_ENABLED AUTOTHROTTLE_MAX_DELAY AUTOTHROTTLE_START_DELAY AUTOTHROTTLE_TARGET_CONCURRENCY CLOSESPIDER_ERRORCOUNT "
    "CLOSESPIDER_ITEMCOUNT CLOSESPIDER_PAGECOUNT CLOSESPIDER_TIMEOUT CLOSESPIDER_TIMEOUT_NO_ITEM CONCURRENT_ITEMS CONCURRENT_REQUESTS "
    "CONCURRENT_REQUESTS_PER_DOMAIN COOKIES_ENABLED DEPTH_LIMIT DEPTH_PRIORITY DOWNLOAD_DELAY DOWNLOAD_MAXSIZE DOWNLOAD_TIMEOUT "
    "HTTPERROR_ALLOWED_CODES HTTPERROR_ALLOW_ALL LOG_LEVEL METAREFRESH_ENABLED RANDOMIZE_DOWNLOAD_DELAY REDIRECT_ENABLED "
    "REDIRECT_MAX_TIMES REFERER_ENABLED RETRY_ENABLED RETRY_HTTP_CODES RETRY_TIMES ROBOTSTXT_OBEY URLLENGTH_LIMIT USER_AGENT".split()
)
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@dataclass(slots=True, frozen=True)
class ProjectVersion:
    """One version of a Scrapy project, without its archive.

    `checksum` is the SHA-256 of the archive in hex, `size` its bytes. `folder` is the place in it that is to be importable, empty for its
    root; `settings` the module of the project's settings. `spiders` are the names its spiders had when it was uploaded.
    """

    project: str
    version: str
    checksum: str
    size: int
    settings: str
    uploaded_at: float
    uploaded_by: UserId
    folder: str = ""
    spiders: Sequence[str] = ()


@dataclass(slots=True, frozen=True)
class SpiderOrder:
    """Which spider to run, and how.

    Without a `project`: the only one with such a spider; without a `version`: the one uploaded last; both are
    there once the order is a job's. `settings` are Scrapy's own and go before the project's. `pages` is how many requests
    it may send at most; None: as many as it likes. `restarts`: how often it is started anew when its process dies.
    """

    name: str
    project: str = ""
    version: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    pages: int | None = None
    restarts: int = 3

    @property
    def url(self) -> str:
        """What stands in the place of a URL where jobs are shown."""
        return f"spider:{self.project}/{self.name}"


def check_project(project: str) -> str:
    """The name of a project; raises `InvalidInput`."""
    if _PROJECT.fullmatch(project) is None:
        raise InvalidInput(
            "a project's name has 1 to 100 of A-Z a-z 0-9 _ . - and begins with a letter or digit",
            ("project",),
        )
    return project


def check_version(version: str) -> str:
    """The name of a version; raises `InvalidInput`."""
    if _VERSION.fullmatch(version) is None:
        raise InvalidInput(
            "a version has 1 to 100 of A-Z a-z 0-9 _ . + - and begins with a letter or digit", ("version",)
        )
    return version


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for a setting of Scrapy that an order must not give: what names code is the project's business alone."""
    for name, value in settings.items():
        if name not in _SETTINGS:
            raise InvalidInput(
                f"the Scrapy setting {name[:100]!r} cannot be given to a spider; these can: {', '.join(sorted(_SETTINGS))}",
                ("config", "scrapy_settings", name),
            )
        plain = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in plain) or len(plain) > 100:
            raise InvalidInput(
                f"the Scrapy setting {name} must be a text, a number, true or false, or a list of such",
                ("config", "scrapy_settings", name),
            )


def is_module(name: str) -> bool:
    """Whether it is a dotted name that could be a module's."""
    return len(name) <= 300 and _MODULE.fullmatch(name) is not None
