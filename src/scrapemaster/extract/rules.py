"""One selector, compiled: from a scope (an element, a text, a JSON value) to a field's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jsonpath
import orjson
from cssselect import SelectorError
from lxml import etree
from parsel.csstranslator import GenericTranslator, HTMLTranslator

from scrapemaster.domain.errors import InvalidSelector
from scrapemaster.domain.selector import Selector, SelectorType
from scrapemaster.extract.document import Document
from scrapemaster.extract.transforms import Transform, compile_regex, compile_transform
from scrapemaster.extract.xpath import compile_xpath, find, to_text

_HTML = HTMLTranslator()
_XML = GenericTranslator()
#: `strict` leaves out the library's own operators, and with `match` and `search` all regular expressions that backtrack.
_JSONPATH = jsonpath.JSONPathEnvironment(strict=True)
for _name in ("match", "search"):
    _JSONPATH.function_extensions.pop(_name, None)


class Finder(Protocol):
    """Finds all matches of one expression in a scope, in order."""

    def find(self, scope: Any, document: Document) -> list[Any]:
        """Elements, texts or JSON values."""


@dataclass(slots=True, frozen=True)
class TreeFinder:
    """CSS and XPath over lxml's tree."""

    html: Any
    xml: Any

    def find(self, scope: Any, document: Document) -> list[Any]:
        """See `Finder`."""
        if scope is None or isinstance(scope, str | dict | list | int | float):
            return []
        return find(self.xml if document.kind == "xml" else self.html, scope)


@dataclass(slots=True, frozen=True)
class RegexFinder:
    """A regular expression over the text of the scope: the first group of each match, or all of it."""

    pattern: Any

    def find(self, scope: Any, document: Document) -> list[Any]:
        """See `Finder`."""
        text = document.text if scope is None else text_of(scope, document)
        group = 1 if self.pattern.groups else 0
        return [match.group(group) for match in self.pattern.finditer(text) if match.group(group) is not None]


@dataclass(slots=True, frozen=True)
class JsonFinder:
    """JSONPath (RFC 9535) over a JSON page, a JSON value, or a text that holds JSON."""

    path: Any

    def find(self, scope: Any, document: Document) -> list[Any]:
        """See `Finder`."""
        if scope is None:
            if document.kind != "json":
                return []
            scope = document.json
        elif isinstance(scope, str) or etree.iselement(scope):
            text = scope if isinstance(scope, str) else "".join(scope.itertext())
            try:
                scope = orjson.loads(text)
            except orjson.JSONDecodeError:
                return []
        try:
            found: list[Any] = self.path.findall(scope)
        except (jsonpath.JSONPathError, RecursionError):
            return []
        return found


@dataclass(slots=True, frozen=True)
class Rule:
    """A compiled selector."""

    name: str
    selector: Selector
    finder: Finder
    transforms: Sequence[Transform]
    fields: Mapping[str, Rule]

    def value(self, scope: Any, document: Document) -> Any:
        """The field's value in a scope; None when there is none. `scope` None is the page itself."""
        found = self.finder.find(scope, document)
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
        values = [value for match in found if (value := self._one(match, document)) is not None]
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
    try:
        html, xml = _HTML.css_to_xpath(expression), _XML.css_to_xpath(expression)
    except SelectorError as error:
        raise ValueError(f"{expression!r} is not CSS: {error}") from None
    except RecursionError:
        raise ValueError("the CSS is nested too deeply") from None
    if attr is not None and "::" in expression:
        raise ValueError("takes an attr besides a ::text or ::attr(); give one of them")
    return TreeFinder(_compiled(html, attr), _compiled(xml, attr))


def _xpath(expression: str, attr: str | None) -> Finder:
    path = _compiled(expression, attr)
    return TreeFinder(path, path)


def _compiled(expression: str, attr: str | None) -> Any:
    if attr is not None:
        if not attr.replace("-", "").replace("_", "").replace(":", "").isalnum():
            raise ValueError(f"{attr!r} is not an attribute's name")
        expression = f"({expression})/@*[name() = '{attr}']"
    return compile_xpath(expression)


def _regex(expression: str, attr: str | None) -> Finder:
    if attr is not None:
        raise ValueError("attr belongs to css and xpath")
    return RegexFinder(compile_regex(expression))


def _jsonpath(expression: str, attr: str | None) -> Finder:
    if attr is not None:
        raise ValueError("attr belongs to css and xpath")
    try:
        return JsonFinder(_JSONPATH.compile(expression))
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise ValueError(f"{expression!r} is not JSONPath: {error}") from None
