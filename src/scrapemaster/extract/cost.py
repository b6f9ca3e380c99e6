"""What selectors may cost at the worst, judged before they are run: pure.

XPath of a line can take hours on a page: each `//` in a predicate is another loop over the page. Measured with libxml2 2.14
on nested markup, an evaluation takes up to 150 ns × steps × elements, and with degree d 300 ns × wide steps × elementsᵈ. The degree is counted here from the
expression, never too low: steps along wide axes, comparisons of node sets and string values of subtrees, and for
predicates their own degree on top. `crawl.process` lets a page be worked on in the crawler itself only if that bound is small.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Predicates nest at most this deep, and the page's elements are looped over at most so many times within each other.
MAX_NESTING = 8
MAX_DEGREE = 8
#: Steps and names in one expression at most.
MAX_STEPS = 500
#: Texts of whole subtrees that are put together by one expression in the crawler itself.
MAX_STRINGS = 8
#: Selectors in one CSS list at most: `a, b, c` are three.
MAX_LIST = 100
#: Characters of the XPath that a CSS selector is translated to.
MAX_TRANSLATED = 32_768
#: Bracketed lists in one JSONPath at most: each may multiply the matches.
MAX_JSON_LISTS = 3

_STEP_SECONDS = 150e-9
_JSON_SECONDS = 2e-6
#: A search that finds nothing runs to the end of the text, for each match that was found before it.
_BYTE_PAIR_SECONDS = 2e-9

_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"|'[^']*')|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<wide>//|\.\.)|"""
    r"""(?P<name>[^\W\d][\w.-]*(?::(?!:)[\w.*-]+)?)|(?P<axis>::)|(?P<compare>!=|<=|>=|=|<|>)|(?P<sign>[][()/|@.*,$+-])"""
)
_WIDE_AXES = frozenset(
    "descendant descendant-or-self ancestor ancestor-or-self following preceding following-sibling preceding-sibling "
    "parent".split()
)
#: Functions that take the string value of the context node when they are given nothing.
_OF_CONTEXT = frozenset({"string", "normalize-space", "string-length", "number"})
#: A regular expression that stands in the selector itself is compiled once.
_REGEX_CALL = re.compile(r"""\bre:\w+\([^(),'"]+,\s*(?:'[^']*'|"[^"]*")""")


@dataclass(slots=True)
class _Frame:
    """An expression between brackets: its wide steps, and the highest degree of the predicates in it."""

    wide: int = 0
    inner: int = 0

    @property
    def degree(self) -> int:
        """Nodes may be found again and again along two wide steps, but are one set after each."""
        return min(self.wide, 2) + self.inner


@dataclass(slots=True, frozen=True)
class Cost:
    """An upper bound of what a plan takes on a page.

    `steps` says how many steps there are of each degree; `json_steps` the same for JSONPath. `value_seconds` is spent on each value,
    where there may be one for each element, and `page_seconds` once. `scans` are the regular expressions whose matches are all
    wanted. `unbounded`: no bound can be given.
    """

    steps: tuple[tuple[int, int], ...] = ()
    json_steps: tuple[tuple[int, int], ...] = ()
    value_seconds: float = 0.0
    page_seconds: float = 0.0
    scans: int = 0
    unbounded: bool = False

    def plus(self, others: Iterable[Cost]) -> Cost:
        """The sum with those."""
        parts = [self, *others]
        return Cost(
            tuple(step for part in parts for step in part.steps),
            tuple(step for part in parts for step in part.json_steps),
            sum(part.value_seconds for part in parts),
            sum(part.page_seconds for part in parts),
            sum(part.scans for part in parts),
            any(part.unbounded for part in parts),
        )

    def within(self) -> Cost:
        """The same inside each match of something else, of which there may be as many as elements."""
        return Cost(
            tuple((degree + 1, steps) for degree, steps in self.steps),
            tuple((degree + 1, steps) for degree, steps in self.json_steps),
            self.value_seconds + self.page_seconds,
            0.0,
            self.scans,
            self.unbounded or bool(self.scans),
        )

    def seconds(self, elements: int, size: int) -> float:
        """The bound for a page of so many elements (or JSON values) and bytes."""
        if self.unbounded:
            return float("inf")
        tree = sum(steps * float(elements) ** degree for degree, steps in self.steps) * _STEP_SECONDS
        json = sum(steps * float(elements) ** degree for degree, steps in self.json_steps) * _JSON_SECONDS
        scans = self.scans * float(size) ** 2 * _BYTE_PAIR_SECONDS
        return tree + json + scans + self.value_seconds * elements + self.page_seconds


@dataclass(slots=True)
class _Reading:
    frames: list[_Frame] = field(default_factory=lambda: [_Frame()])
    steps: int = 1
    wide: int = 0
    nesting: int = 0


def xpath_cost(expression: str) -> Cost:
    """The cost of an XPath expression; raises `ValueError` with a sentence if none could afford it."""
    if len(expression) > MAX_TRANSLATED:
        raise ValueError(f"is too large: as XPath it has more than {MAX_TRANSLATED:,} characters")
    reading = _Reading()
    tokens = [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(expression)]
    for place, (kind, text) in enumerate(tokens):
        _read(reading, tokens, place, kind, text)
    degree = max(1, reading.frames[0].degree)
    if reading.nesting > MAX_NESTING or degree > MAX_DEGREE:
        raise ValueError(f"nests predicates that search the page more than {MAX_NESTING} deep")
    if reading.steps > MAX_STEPS:
        raise ValueError(f"is too large: it has more than {MAX_STEPS} steps")
    dynamic = expression.count("re:") != len(_REGEX_CALL.findall(expression))
    # Each of them may be as long as the page's text.
    dynamic = dynamic or expression.count("(/") + expression.count("(.") > MAX_STRINGS
    steps = (
        ((1, reading.steps),) if degree == 1 else ((1, reading.steps), (degree, 2 * max(1, reading.wide - 1)))
    )
    return Cost(steps, unbounded=dynamic)


def _read(reading: _Reading, tokens: list[tuple[str, str]], place: int, kind: str, text: str) -> None:
    frame = reading.frames[-1]
    wide_before = frame.wide
    following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
    match kind:
        case "wide":
            frame.wide += 1
            reading.steps += 1
        case "name":
            reading.steps += 1
            wide_axis = text in _WIDE_AXES and following == "::"
            of_context = text in _OF_CONTEXT and [token for _, token in tokens[place + 1 : place + 3]] == [
                "(",
                ")",
            ]
            if (
                wide_axis
                or of_context
                or text.startswith(("re:", "set:"))
                or (text == "id" and following == "(")
            ):
                frame.wide += 1
        case "compare":
            sides = {
                tokens[place - 1][0] if place else "",
                tokens[place + 1][0] if place + 1 < len(tokens) else "",
            }
            if not sides & {"literal", "number"}:
                frame.wide += 1
        case "sign" if text == "[":
            reading.frames.append(_Frame())
            reading.nesting = max(reading.nesting, len(reading.frames) - 1)
        case "sign" if text == "]" and len(reading.frames) > 1:
            closed = reading.frames.pop()
            reading.frames[-1].inner = max(reading.frames[-1].inner, closed.degree)
        case "sign" if text == "." and following not in {"/", "//"}:
            frame.wide += 1
    reading.wide += frame.wide - wide_before


def jsonpath_cost(expression: str) -> Cost:
    """The cost of a JSONPath expression; raises `ValueError` with a sentence if none could afford it."""
    bare = re.sub(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", "s", expression)
    lists = len(re.findall(r"\[[^][?,]*+,", bare))
    if lists > MAX_JSON_LISTS:
        raise ValueError(f"has more than {MAX_JSON_LISTS} lists in brackets")
    if re.search(r"\[[^][?,]*+(?:,[^][?,]*+){50}", bare):
        raise ValueError("has a list of more than 50 in brackets")
    degree = max(1, bare.count("..") + bare.count("?") + lists + bare.count("$") - 1)
    if degree > MAX_DEGREE:
        raise ValueError(f"searches the document more than {MAX_DEGREE} times over")
    return Cost(json_steps=((degree, 1 + len(re.findall(r"[.\[]", bare))),))
