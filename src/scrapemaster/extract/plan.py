"""A job's selectors, compiled once, and run on every page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.errors import InvalidInput, InvalidSelector
from scrapemaster.domain.selector import Selector, SelectorType
from scrapemaster.extract.cost import Cost
from scrapemaster.extract.document import Document
from scrapemaster.extract.fast import FastRule, compile_fast
from scrapemaster.extract.fill import Filled, is_empty
from scrapemaster.extract.formats import DATA, SLOW, whole_page
from scrapemaster.extract.rules import Finder, Rule, compile_finder, compile_rule
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.extract.structured import structured_item

#: Of what pages say of themselves.
_STRUCTURED = Cost(steps=((1, 100),), page_seconds=0.01)
#: Seconds for each three of microdata things, nested within each other (measured).
_NESTED_SECONDS = 70e-9
#: Seconds for each two elements, as lexbor looks at all that are open when one begins, and they may all be (measured: 1.2 to 2.2 ns).
_DEEP_SECONDS = 3e-9
#: Bytes of an element at the least, `<b>`.
_LEAST_ELEMENT = 3


@dataclass(slots=True)
class Extraction:
    """What a page yielded. `items_failed`: items dropped because a required field had no value.

    `fill`: in how many of the items each selector had a value, by dotted name.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    items_failed: int = 0
    fill: dict[str, int] = field(default_factory=dict)


class Plan:
    """A compiled set of selectors; see `compile_plan`."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        container: Finder | None,
        fast: Mapping[str, FastRule],
        formats: Sequence[str] = (DATA,),
    ) -> None:
        self.rules = rules
        self.container = container
        self._fast = fast
        self._formats = formats
        self._filled = Filled({name: rule.selector for name, rule in rules.items()})
        self.cost = _cost_of(rules.values(), container)
        self._required = [name for name, rule in rules.items() if rule.selector.required]
        self._quick: dict[float, int] = {}

    @property
    def needs_lxml(self) -> bool:
        """Whether some rule can only be run on lxml's tree, so that lexbor's would be built for nothing."""
        if self.container is not None or not self.rules or "structured" in self._formats:
            return True
        return any(rule.on_tree and name not in self._fast for name, rule in self.rules.items())

    def is_quick(self, body: bytes, enough: float) -> bool:
        """Whether it is certain that a page's extraction takes less than `enough` seconds."""
        # The bound by size alone grows with the size: what it shows for one page it shows for all that are smaller.
        size = len(body)
        if self.rules and size <= self._quick.get(enough, -1):
            return True
        if self.seconds(body, enough) >= enough:
            return False
        if self.rules and self._bound(size) < enough:
            self._quick[enough] = size
        return True

    def seconds(self, body: bytes, enough: float) -> float:
        """An upper bound of what a page's extraction takes; not more exact than to tell whether it is below `enough`."""
        size = len(body)
        nested = 0.0 if self.rules else float(body.count(b"itemscope")) ** 3 * _NESTED_SECONDS
        bound = self._bound(size) + nested
        if bound < enough:
            return bound
        values = body.count(b",") + body.count(b":") + body.count(b"[") if self.cost.json_steps else 0
        elements = body.count(b"<")
        bound = self._bound(size, elements, values) + nested
        # Most pages are seen to be quick without it.
        return bound if bound < enough else self._bound(size, elements - body.count(b"</"), values) + nested

    def _bound(self, size: int, elements: int | None = None, values: int = 0) -> float:
        """For a page of that size, or with so many elements and values of JSON in it."""
        most = size // _LEAST_ELEMENT if elements is None else elements
        return self.cost.seconds(max(most, values, 1), size) + most**2 * _DEEP_SECONDS

    def open(self, body: bytes, url: str, content_type: str) -> Document:
        """A page's body, to be parsed in the way that suits the plan."""
        return Document(body, url, content_type, prefer_lxml=self.needs_lxml)

    def extract(self, document: Document) -> Extraction:
        """The items of a page. Raises `GiveUpPage` when the body cannot be read as what it claims to be."""
        extraction = self._data(document) if DATA in self._formats else Extraction()
        # Formats are of whole pages, which have one item at most; one that was dropped stays so.
        whole = {} if extraction.items_failed else whole_page(document, self._formats)
        if whole:
            extraction.items = [{**(extraction.items[0] if extraction.items else {}), **whole}]
        return extraction

    @property
    def slow(self) -> bool:
        """Whether every page's extraction may take long, whatever its selectors are."""
        return not SLOW.isdisjoint(self._formats)

    def _data(self, document: Document) -> Extraction:
        """The items that the selectors give."""
        extraction = Extraction()
        if not self.rules:
            item = structured_item(document)
            if item:
                extraction.items.append(item)
            return extraction
        if self.container is None:
            scope = None if document.kind == "json" else _Page
            self._add(extraction, self._item(scope, document))
            return extraction
        top = None if document.kind == "json" else document.root
        for scope in self.container.find(top, document):
            item = {name: rule.value(scope, document) for name, rule in self.rules.items()}
            self._add(extraction, item)
        return extraction

    def _item(self, scope: Any, document: Document) -> dict[str, Any]:
        """The one item of a page."""
        item = {}
        for name, rule in self.rules.items():
            fast = self._fast.get(name) if document.kind == "html" else None
            found = fast.find(document) if fast is not None else None
            if found is not None:
                item[name] = rule.value_of(found, document)
            elif scope is _Page and rule.on_tree:
                item[name] = rule.value(document.root, document)
            else:
                item[name] = rule.value(None, document)
        return item

    def _add(self, extraction: Extraction, item: dict[str, Any]) -> None:
        for name in self._required:
            if is_empty(item[name]):
                extraction.items_failed += 1
                return
        for value in item.values():
            if not is_empty(value):
                extraction.items.append(item)
                self._filled.count(item, extraction.fill)
                return


class _Page:
    """Stands for the page as a whole."""


def _cost_of(rules: Iterable[Rule], container: Finder | None) -> Cost:
    rules = list(rules)
    if not rules:
        return _STRUCTURED
    if container is None:
        return Cost().plus(rule.cost for rule in rules)
    return container.cost.plus(rule.cost.within() for rule in rules)


def compile_plan(
    selectors: Mapping[str, Selector], item: str | None = None, formats: Sequence[str] = (DATA,)
) -> Plan:
    """Compile a job's selectors and its `item` container; raises `InvalidSelector` that names the one at fault.

    `formats`: what is kept of a page besides or instead of what selectors give. They are of whole pages, and go into
    the page's one item under their names: raises `InvalidInput` where there are several items, or fields called so.
    """
    _check_formats(selectors, item, formats)
    rules = {name: compile_rule(name, rule, ("selectors", name)) for name, rule in selectors.items()}
    container = None
    if item is not None:
        where = ("config", "item")
        try:
            container = compile_finder(parse_selectors({"item": item})["item"])
        except InvalidSelector as error:
            raise InvalidSelector(str(error), where) from None
        except ValueError as error:
            raise InvalidSelector(f"config.item: {error}", where) from None
    fast = {}
    for name, rule in rules.items():
        selector = rule.selector
        if selector.type is SelectorType.CSS and selector.attr is None and not selector.fields:
            compiled = compile_fast(selector.selector)
            if compiled is not None:
                fast[name] = compiled
    return Plan(rules, container, fast, formats)


def _check_formats(selectors: Mapping[str, Selector], item: str | None, formats: Sequence[str]) -> None:
    whole = [name for name in formats if name != DATA]
    if whole and item is not None:
        raise InvalidInput(
            f"the format {whole[0]} is of whole pages, and config.item makes several rows of a page: leave one of them out",
            ("config", "formats"),
        )
    for name in whole:
        if name in selectors:
            raise InvalidSelector(
                f"selector {name!r} is called like a format that is asked for; give it another name",
                ("selectors", name),
            )
