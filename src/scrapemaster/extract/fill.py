"""In how many items each selector had a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrapemaster.domain.selector import Selector


class Filled:
    """Which fields of a job's items have a value. One that is its selector's `default` counts as none."""

    def __init__(self, selectors: Mapping[str, Selector]) -> None:
        self._selectors = selectors
        self._plain = all(not selector.fields and selector.default is None for selector in selectors.values())

    def count(self, item: Mapping[str, Any], counts: dict[str, int]) -> None:
        """Add one item to `counts`, which are by dotted name."""
        if self._plain:
            for name, value in item.items():
                if not is_empty(value):
                    counts[name] = counts.get(name, 0) + 1
            return
        found: set[str] = set()
        _collect(self._selectors, item, "", found)
        for name in found:
            counts[name] = counts.get(name, 0) + 1


def is_empty(value: Any) -> bool:
    """Whether a value is none: null, or an empty text, list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def _collect(
    selectors: Mapping[str, Selector], item: Mapping[str, Any], prefix: str, found: set[str]
) -> None:
    for name, selector in selectors.items():
        value = item.get(name)
        if is_empty(value) or (selector.default is not None and value == selector.default):
            continue
        if not selector.fields:
            found.add(f"{prefix}{name}")
            continue
        before = len(found)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                _collect(selector.fields, part, f"{prefix}{name}.", found)
        if len(found) > before:
            found.add(f"{prefix}{name}")
