"""One selector, compiled: from a scope (an element, a text, a JSON value) to a field's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from cssselect import SelectorError
from parsel.csstranslator import GenericTranslator, HTMLTranslator

from scrapemaster.domain.errors import GiveUpPage, InvalidSelector
from scrapemaster.domain.selector import Selector, SelectorType
from scrapemaster.extract.cost import MAX_LIST, MAX_TRANSLATED, Cost, xpath_cost
from scrapemaster.extract.document import Document
from scrapemaster.extract.transforms import Transform, compile_regex, compile_transform
from scrapemaster.extract.xpath import compile_xpath, find, to_text

_HTML = HTMLTranslator()
_XML = GenericTranslator()

#: Characters that all values of one field may have together; a row that is larger than a database takes helps nobody.
MAX_FIELD_LENGTH = 8_000_000
#: Seconds that transforms may take for one value (measured on texts made to be slow).
_TRANSFORM_SECONDS = {"date": 0.3, "price": 100e-6, "number": 100e-6, "integer": 100e-6, "currency": 100e-6}


class Finder(Protocol):
    """Finds all matches of one expression in a scope, in order."""

    @property
    def cost(self) -> Cost:
        """What it may take at the worst."""

    def find(self, scope: Any, document: Document, *, first: bool = False) -> list[Any]:
        """Elements, texts or JSON values. `first`: only the first one is wanted; more may come."""


@dataclass(slots=True, frozen=True)
class TreeFinder:
    """CSS and XPath over lxml's tree."""

    html: Any
    xml: Any
    cost: Cost

    def find(self, scope: Any, document: Document, *, first: bool = False) -> list[Any]:  # noqa: ARG002 -- the protocol's
        """See `Finder`."""
        if scope is None or isinstance(scope, str | dict | list | int | float):
            return []
        return find(self.xml if document.kind == "xml" else self.html, scope)


@dataclass(slots=True, frozen=True)
class RegexFinder:
    """A regular expression over the text of the scope: the first group of each match, or all of it."""

    pattern: Any
    cost: Cost

    def find(self, scope: Any, document: Document, *, first: bool = False) -> list[Any]:
        """See `Finder`."""
        text = document.text if scope is None else text_of(scope, document)
        group = 1 if self.pattern.groups else 0
        found = (
            match.group(group) for match in self.pattern.finditer(text) if match.group(group) is not None
        )
        return list(islice(found, 1)) if first else list(found)


@dataclass(slots=True, frozen=True)
class Rule:
    """A compiled selector."""

    name: str
    selector: Selector
    finder: Finder
    transforms: Sequence[Transform]
    fields: Mapping[str, Rule]

    @property
    def on_tree(self) -> bool:
        """Whether it runs on a tree of elements."""
        return self.selector.type in {SelectorType.CSS, SelectorType.XPATH}

    @property
    def cost(self) -> Cost:
        """What it may take at the worst, with all below it."""
        selector = self.selector
        each = sum(_TRANSFORM_SECONDS.get(name, 0.0) for name in selector.transform)
        own = self.finder.cost
        own = replace(own, value_seconds=each) if selector.many else replace(own, page_seconds=each)
        if selector.type is SelectorType.REGEX and not selector.many:
            own = replace(own, scans=0)
        inner = (rule.cost for rule in self.fields.values())
        return own.plus(cost.within() for cost in inner)

    def value(self, scope: Any, document: Document) -> Any:
        """The field's value in a scope; None when there is none. `scope` None is the page itself."""
        found = self.finder.find(scope, document, first=not self.selector.many)
        return self.value_of(found, document)

    def value_of(self, found: Sequence[Any], document: Document) -> Any:
        """The field's value for what was found."""
        selector = self.selector
        if not selector.many:
            for match in found[:1]:
                value = self._one(match, document)
                if value is not None:
                    return value
            return selector.default
        values = []
        length = 0
        for match in found:
            value = self._one(match, document)
            if value is not None:
                values.append(value)
                length += len(value) if isinstance(value, str) else 1
                if length > MAX_FIELD_LENGTH:
                    raise GiveUpPage(
                        "item_too_large",
                        f"the field {self.name!r} has more than {MAX_FIELD_LENGTH:,} characters",
                    )
        return values or (selector.default if selector.default is not None else [])

    def _one(self, match: Any, document: Document) -> Any:
        if self.fields:
            return {name: rule.value(match, document) for name, rule in self.fields.items()}
        value = match if self.selector.type is SelectorType.JSONPATH else text_of(match, document)
        for transform in self.transforms:
            if isinstance(value, list):
                value = [transform(inner, document.base_url) for inner in value]
            else:
                value = transform(value, document.base_url)
        return value


def text_of(value: Any, document: Document) -> str:
    """A match as text, exactly as parsel's `.get()` gives it."""
    return to_text(value, "xml" if document.kind == "xml" else "html")


def compile_rule(name: str, selector: Selector, where: tuple[str | int, ...]) -> Rule:
    """Compile a selector and all below it; raises `InvalidSelector` that names the one at fault."""
    shown = ".".join(str(part) for part in where[1:] if part != "fields")
    try:
        finder = compile_finder(selector)
        transforms = [compile_transform(transform) for transform in selector.transform]
    except ValueError as error:
        raise InvalidSelector(f"selector {shown!r}: {error}", where) from None
    if selector.fields and transforms:
        raise InvalidSelector(
            f"selector {shown!r}: has both fields and transform; give the fields transforms", where
        )
    fields = {
        inner: compile_rule(inner, rule, (*where, "fields", inner)) for inner, rule in selector.fields.items()
    }
    return Rule(name, selector, finder, transforms, fields)


def compile_finder(selector: Selector) -> Finder:
    """What finds a selector's matches; raises `ValueError` with a sentence."""
    compilers: Mapping[SelectorType, Callable[[str, str | None], Finder]] = {
        SelectorType.CSS: _css,
        SelectorType.XPATH: _xpath,
        SelectorType.REGEX: _regex,
        SelectorType.JSONPATH: _jsonpath,
    }
    return compilers[selector.type](selector.selector, selector.attr)


def _css(expression: str, attr: str | None) -> Finder:
    if expression.count(",") >= MAX_LIST:
        raise ValueError(f"lists more than {MAX_LIST} selectors")
    try:
        html, xml = _HTML.css_to_xpath(expression), _XML.css_to_xpath(expression)
    except SelectorError as error:
        raise ValueError(f"{expression!r} is not CSS: {error}") from None
    except RecursionError:
        raise ValueError("the CSS is nested too deeply") from None
    if attr is not None and "::" in expression:
        raise ValueError("takes an attr besides a ::text or ::attr(); give one of them")
    if max(len(html), len(xml)) > MAX_TRANSLATED:
        raise ValueError(f"is too large: as XPath it has more than {MAX_TRANSLATED:,} characters")
    cost = xpath_cost(html)
    return TreeFinder(_compiled(html, attr), _compiled(xml, attr), cost)


def _xpath(expression: str, attr: str | None) -> Finder:
    cost = xpath_cost(expression)
    path = _compiled(expression, attr)
    return TreeFinder(path, path, cost)


def _compiled(expression: str, attr: str | None) -> Any:
    if attr is not None:
        if not attr.replace("-", "").replace("_", "").replace(":", "").isalnum():
            raise ValueError(f"{attr!r} is not an attribute's name")
        expression = f"({expression})/@*[name() = '{attr}']"
    return compile_xpath(expression)


def _regex(expression: str, attr: str | None) -> Finder:
    if attr is not None:
        raise ValueError("attr belongs to css and xpath")
    return RegexFinder(compile_regex(expression), Cost(scans=1))


def _jsonpath(expression: str, attr: str | None) -> Finder:
    if attr is not None:
        raise ValueError("attr belongs to css and xpath")
    from scrapemaster.extract.json_path import compile_jsonpath  # noqa: PLC0415 -- heavy, and few jobs need it

    return compile_jsonpath(expression)
