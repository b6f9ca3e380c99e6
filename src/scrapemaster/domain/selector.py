"""A user's extraction rules, as data. `extract` compiles and runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class SelectorType(StrEnum):
    """The languages a selector may be written in."""

    CSS = "css"
    XPATH = "xpath"
    REGEX = "regex"
    JSONPATH = "jsonpath"


@dataclass(slots=True, frozen=True)
class Selector:
    """One rule.

    `selector` is the expression; `attr` takes an attribute of the matched elements instead of
    what the expression itself names. `many` gives a list of all matches rather than the first.
    `fields` applies nested rules inside each match and gives objects. `transform` names are
    applied in order to each value. `default` stands in when nothing matched. A `required` field
    without a value drops the whole item, counted in `items_failed`.
    """

    selector: str
    type: SelectorType = SelectorType.CSS
    attr: str | None = None
    many: bool = False
    fields: Mapping[str, Selector] = field(default_factory=dict)
    transform: Sequence[str] = ()
    default: Any = None
    required: bool = False


def names_of(selectors: Mapping[str, Selector], prefix: str = "") -> Iterator[str]:
    """The names of selectors and of all below them, dotted, in the order they were given."""
    for name, selector in selectors.items():
        yield f"{prefix}{name}"
        yield from names_of(selector.fields, f"{prefix}{name}.")
