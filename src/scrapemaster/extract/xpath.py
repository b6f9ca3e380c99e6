"""XPath as parsel runs it, compiled once, and without its regular expressions that backtrack."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import parsel  # noqa: F401 -- registers has-class(), which parsel's users know
import re2
from lxml import etree

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.extract.transforms import compile_regex

_REGEXP = "http://exslt.org/regular-expressions"
#: The prefixes that parsel declares.
_NAMESPACES = {"re": _REGEXP, "set": "http://exslt.org/sets"}


@lru_cache(maxsize=32)
def _flags(pattern: str, flags: str) -> Any:
    letters = "".join(letter for letter in flags if letter in "is")
    return compile_regex(f"(?{letters}){pattern}" if letters else pattern)


def _string(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return "".join(value.itertext()) if etree.iselement(value) else str(value)


def _test(_context: Any, value: Any, pattern: Any, flags: Any = "") -> bool:
    return _flags(_string(pattern), _string(flags)).search(_string(value)) is not None


def _replace(_context: Any, value: Any, pattern: Any, flags: Any, by: Any) -> str:
    compiled, once = _flags(_string(pattern), _string(flags)), "g" not in _string(flags)
    replaced: str = re2.sub(compiled, _string(by), _string(value), 1 if once else 0)
    return replaced


#: Expressions are tried on this, so that most that would fail on pages fail at once.
_PROBE = etree.fromstring("<html><body/></html>")
_EXTENSIONS = {(_REGEXP, "test"): _test, (_REGEXP, "replace"): _replace}


def compile_xpath(expression: str) -> Any:
    """A callable from an element to what `parsel.Selector.xpath` would find there.

    `re:test` and `re:replace` run in linear time (RE2). Raises `ValueError` with a sentence.
    """
    try:
        path = etree.XPath(
            expression, namespaces=_NAMESPACES, extensions=_EXTENSIONS, regexp=False, smart_strings=False
        )
        path(_PROBE)
    except (etree.XPathSyntaxError, etree.XPathEvalError) as error:
        raise ValueError(f"{expression!r} is not XPath: {error}") from None
    except (ValueError, UnicodeEncodeError):
        raise ValueError("the XPath has characters that XML does not allow") from None
    return path


def find(path: Any, scope: Any) -> list[Any]:
    """What a compiled expression finds in an element; raises `GiveUpPage("selector_error")` if it fails there."""
    try:
        found = path(scope)
    except (etree.XPathEvalError, ValueError, TypeError, re2.error) as error:
        raise GiveUpPage(
            "selector_error", f"the selector {path.path!r} failed on the page: {error}"
        ) from None
    return found if isinstance(found, list) else [found]


def to_text(value: Any, method: str) -> str:
    """What `parsel.Selector.get` gives for a node or value; `method` is `html` or `xml`."""
    if isinstance(value, str):
        return value
    if value is True:
        return "1"
    if value is False:
        return "0"
    if etree.iselement(value):
        serialised: str = etree.tostring(value, method=method, encoding="unicode", with_tail=False)
        return serialised
    return str(value)
