"""What each selector of a plan matches on a page, for those who are writing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scrapemaster.extract.document import Document
from scrapemaster.extract.plan import Plan
from scrapemaster.extract.rules import Rule, text_of

#: First matches that are shown of each selector, and characters of each.
SHOWN = 5
SHOWN_LENGTH = 500
#: Matches that nested selectors are tried in at most.
_SCOPES = 1_000


def probe(plan: Plan, document: Document) -> dict[str, tuple[int, list[str]]]:
    """For each selector by dotted name, and for the container as `config.item`: its matches' number and first values.

    A nested selector is counted over the matches of the one above it. Raises `GiveUpPage` when the body cannot be read.
    """
    shown: dict[str, tuple[int, list[str]]] = {}
    if document.kind == "other":
        return shown
    top = None if document.kind == "json" else document.root
    scopes: list[Any] = [top]
    if plan.container is not None:
        scopes = plan.container.find(top, document)
        shown["config.item"] = _shown(scopes, document)
    _probe(plan.rules, scopes[:_SCOPES], document, "", shown)
    return shown


def _probe(
    rules: Mapping[str, Rule],
    scopes: list[Any],
    document: Document,
    prefix: str,
    shown: dict[str, tuple[int, list[str]]],
) -> None:
    for name, rule in rules.items():
        found = list(_found(rule, scopes, document))
        shown[f"{prefix}{name}"] = _shown(found, document)
        if rule.fields:
            _probe(rule.fields, found[:_SCOPES], document, f"{prefix}{name}.", shown)


def _found(rule: Rule, scopes: list[Any], document: Document) -> Iterator[Any]:
    for scope in scopes:
        page = scope if rule.on_tree or scope is not document.root else None
        yield from rule.finder.find(page, document)


def _shown(found: list[Any], document: Document) -> tuple[int, list[str]]:
    texts = [text_of(match, document)[:SHOWN_LENGTH] for match in found[:SHOWN]]
    return len(found), [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
