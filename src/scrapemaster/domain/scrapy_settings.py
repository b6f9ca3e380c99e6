"""Scrapy's settings as a job may give them: which there are, what they may be, and which of ours mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.job import JobConfig

#: Settings that name components to be imported, with their order.
COMPONENTS = ("DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "ITEM_PIPELINES", "EXTENSIONS")
#: A component's order, as in Scrapy's own tables.
MOST_ORDER = 1_000
#: A dotted path to a class, and a setting's name, which may end in `*` where an operator allows several.
COMPONENT_PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
SETTING_PATTERN = re.compile(r"[A-Z][A-Z0-9_]{0,99}\*?", re.ASCII)
_WHERE = ("config", "scrapy_settings")


@dataclass(slots=True, frozen=True)
class _Rule:
    """What a setting may be: `kinds` of JSON, within bounds. `same_as` is the field of the job's config that says the same."""

    kinds: tuple[type, ...]
    wanted: str
    least: float = float("-inf")
    most: float = float("inf")
    same_as: str | None = None

    def takes(self, value: Any) -> bool:
        """Whether it may be this value."""
        if isinstance(value, bool) or bool in self.kinds:
            return isinstance(value, bool) and bool in self.kinds
        if not isinstance(value, self.kinds):
            return False
        return not isinstance(value, int | float) or self.least <= value <= self.most


def _whole(least: int, most: int, same_as: str | None = None) -> _Rule:
    return _Rule((int,), f"a whole number from {least} to {most:,}", least, most, same_as)


def _seconds(least: float, most: float, same_as: str | None = None) -> _Rule:
    return _Rule((int, float), f"seconds from {least:g} to {most:,g}", least, most, same_as)


_BOOL = _Rule((bool,), "true or false")
_TABLE = _Rule((dict,), "an object of import paths and their order, such as {'package.module.Class': 500}")
#: Bounds are those of the job's own config where that has the same.
_RULES: Mapping[str, _Rule] = {
    "AUTOTHROTTLE_ENABLED": _BOOL,
    "AUTOTHROTTLE_START_DELAY": _seconds(0, 3_600),
    "AUTOTHROTTLE_MAX_DELAY": _seconds(0, 3_600),
    "AUTOTHROTTLE_TARGET_CONCURRENCY": _Rule((int, float), "a number from 0.01 to 256", 0.01, 256),
    "CONCURRENT_REQUESTS": _whole(1, 256, "concurrency"),
    "CONCURRENT_REQUESTS_PER_DOMAIN": _whole(1, 256),
    "COOKIES_ENABLED": _BOOL,
    "DEFAULT_REQUEST_HEADERS": _Rule((dict,), "an object of headers and their texts", same_as="headers"),
    "DEPTH_LIMIT": _whole(0, 10_000, "max_depth"),
    "DEPTH_PRIORITY": _whole(-1_000, 1_000),
    "DOWNLOAD_DELAY": _seconds(0, 3_600, "delay"),
    "DOWNLOAD_MAXSIZE": _whole(1_024, 1024**3, "max_body_bytes"),
    "DOWNLOAD_TIMEOUT": _seconds(0.001, 600, "timeout"),
    "RETRY_ENABLED": _BOOL,
    "RETRY_HTTP_CODES": _Rule((list,), "a list of statuses from 300 to 599"),
    "RETRY_TIMES": _whole(0, 20, "max_retries"),
    "ROBOTSTXT_OBEY": _Rule((bool,), "true or false", same_as="respect_robots"),
    "USER_AGENT": _Rule((str,), "a text", same_as="user_agent"),
    **dict.fromkeys(COMPONENTS, _TABLE),
}
#: Settings that people know and that mean something else here, with what to use.
_INSTEAD = {
    "CLOSESPIDER_PAGECOUNT": "config.max_pages",
    "CLOSESPIDER_TIMEOUT": "config.max_duration",
    "FEEDS": "the exports of the job's results",
    "HTTPPROXY_ENABLED": "config.proxy",
    "JOBDIR": "pause and resume, which every job has",
}


@dataclass(slots=True, frozen=True)
class ScrapyRules:
    """What an operator allows besides: import paths of `components`, and names of further `settings`, which may end in `*`."""

    components: frozenset[str] = frozenset()
    settings: Sequence[str] = ()

    def check(self, asked: Mapping[str, Any]) -> None:
        """Raise `InvalidInput`, which says what is allowed, for a setting or component that is not, or a value that cannot be."""
        for name, value in asked.items():
            rule = _RULES.get(name)
            if rule is not None:
                _check_value(name, value, rule)
            elif not self._opened(name):
                raise InvalidInput(self._refusal(name), (*_WHERE, name[:100]))
            if name in COMPONENTS:
                self._check_components(name, value)

    def _opened(self, name: str) -> bool:
        return any(
            name.startswith(known[:-1]) if known.endswith("*") else name == known for known in self.settings
        )

    def _refusal(self, name: str) -> str:
        instead = _INSTEAD.get(name)
        hint = f": use {instead}" if instead else ""
        allowed = ", ".join([*_RULES, *self.settings])
        return f"the Scrapy setting {name[:100]!r} is not allowed{hint}; allowed are {allowed}"

    def _check_components(self, name: str, table: Mapping[str, Any]) -> None:
        for path, order in table.items():
            if path not in self.components:
                known = ", ".join(sorted(self.components)) or "none"
                raise InvalidInput(
                    f"{name} names {path[:200]!r}, which is not among the components that the operator allows with "
                    f"SCRAPEMASTER_SCRAPY_COMPONENTS ({known})",
                    (*_WHERE, name),
                )
            if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MOST_ORDER:
                raise InvalidInput(
                    f"the order of {path} in {name} must be a whole number from 0 to {MOST_ORDER:,}",
                    (*_WHERE, name),
                )


def applied(config: JobConfig) -> JobConfig:
    """The config with what its Scrapy settings say put into the fields that mean the same.

    Raises `InvalidInput` when a field was set to something else. Settings that cannot be are left to `ScrapyRules.check`.
    """
    changes: dict[str, Any] = {}
    for name, asked in config.scrapy_settings.items():
        rule = _RULES.get(name)
        if rule is None or rule.same_as is None or not rule.takes(asked):
            continue
        if name == "DEFAULT_REQUEST_HEADERS":
            given = {header.lower() for header in config.headers}
            more = {header: text for header, text in asked.items() if header.lower() not in given}
            changes["headers"] = {**config.headers, **more}
            continue
        value = asked or None if name == "DEPTH_LIMIT" else asked  # 0 is Scrapy's word for no limit
        default = _FIELDS[rule.same_as].default
        if isinstance(default, float):
            value = float(asked)
        if getattr(config, rule.same_as) not in (default, value):
            raise InvalidInput(
                f"config.{rule.same_as} and the Scrapy setting {name} say different things: give one of them",
                (*_WHERE, name),
            )
        changes[rule.same_as] = value
    if config.scrapy_settings.get("RETRY_ENABLED") is False:
        changes["max_retries"] = 0
    return replace(config, **changes) if changes else config


_FIELDS = {field.name: field for field in fields(JobConfig)}


def _check_value(name: str, value: Any, rule: _Rule) -> None:
    usable = rule.takes(value)
    if usable and name == "RETRY_HTTP_CODES":
        usable = all(
            isinstance(code, int) and not isinstance(code, bool) and 300 <= code <= 599 for code in value
        )
    if usable and name == "DEFAULT_REQUEST_HEADERS":
        usable = all(isinstance(text, str) for text in value.values())
    if not usable:
        raise InvalidInput(f"the Scrapy setting {name} must be {rule.wanted}", (*_WHERE, name))
