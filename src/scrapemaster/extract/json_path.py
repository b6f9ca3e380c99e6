"""JSONPath: a finder over JSON values and texts that hold JSON."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonpath
import orjson
from lxml import etree

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.extract.cost import Cost, jsonpath_cost
from scrapemaster.extract.document import Document

#: `strict` leaves out the library's own operators, and with `match` and `search` all regular expressions that backtrack.
_JSONPATH = jsonpath.JSONPathEnvironment(strict=True)
for _name in ("match", "search"):
    _JSONPATH.function_extensions.pop(_name, None)

#: Matches of one JSONPath that are kept.
_MAX_MATCHES = 1_000_000


@dataclass(slots=True, frozen=True)
class JsonFinder:
    """JSONPath (RFC 9535) over a JSON page, a JSON value, or a text that holds JSON."""

    path: Any
    cost: Cost

    def find(self, scope: Any, document: Document, *, first: bool = False) -> list[Any]:
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
            wanted = 1 if first else _MAX_MATCHES + 1
            found = [match.obj for match in islice(self.path.finditer(scope), wanted)]
        except (jsonpath.JSONPathError, RecursionError):
            return []
        if len(found) > _MAX_MATCHES:
            raise GiveUpPage("selector_error", f"the JSONPath has more than {_MAX_MATCHES:,} matches")
        return found


def compile_jsonpath(expression: str) -> JsonFinder:
    """Raises `ValueError`, with a sentence, for what is not JSONPath."""
    cost = jsonpath_cost(expression)
    try:
        return JsonFinder(_JSONPATH.compile(expression), cost)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise ValueError(f"{expression!r} is not JSONPath: {error}") from None
