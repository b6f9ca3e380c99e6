"""The selector language of the API, from JSON to `domain.selector.Selector`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrapemaster.domain.errors import InvalidSelector
from scrapemaster.domain.selector import Selector, SelectorType

#: Bounds that keep a hostile job from being expensive to accept.
MAX_SELECTORS = 500
MAX_LENGTH = 4_096
#: Characters of all selectors of a job together: some hundredths of a second to compile for each 4,096.
MAX_TOTAL = 100_000
MAX_DEPTH = 8
MAX_NAME = 200

_KEYS = frozenset({"selector", "type", "attr", "many", "fields", "transform", "default", "required"})
_PREFIXES = {f"{kind}:": kind for kind in SelectorType}


def parse_selectors(raw: Mapping[str, Any]) -> dict[str, Selector]:
    """The selectors of a job; raises `InvalidSelector` that names the one at fault."""
    count = 0
    length = 0

    def fields(mapping: Mapping[str, Any], where: tuple[str | int, ...], depth: int) -> dict[str, Selector]:
        nonlocal count
        if depth > MAX_DEPTH:
            raise InvalidSelector(f"selector {_name(where)}: fields nest more than {MAX_DEPTH} deep", where)
        parsed = {}
        for name, value in mapping.items():
            count += 1
            if count > MAX_SELECTORS:
                raise InvalidSelector(f"there are more than {MAX_SELECTORS} selectors", ("selectors",))
            here = (*where, name)
            if not name or len(name) > MAX_NAME:
                raise InvalidSelector(f"a selector's name must have 1 to {MAX_NAME} characters", where)
            parsed[name] = one(value, here, depth)
        return parsed

    def measured(kind: SelectorType, expression: str) -> tuple[SelectorType, str]:
        nonlocal length
        length += len(expression)
        if length > MAX_TOTAL:
            raise InvalidSelector(
                f"the selectors have more than {MAX_TOTAL:,} characters together", ("selectors",)
            )
        return kind, expression

    def one(value: Any, where: tuple[str | int, ...], depth: int) -> Selector:
        if isinstance(value, str):
            kind, expression = measured(*_kind_of(value, where))
            return Selector(expression, kind)
        if not isinstance(value, Mapping):
            raise InvalidSelector(
                f"selector {_name(where)}: must be a string or an object with a `selector`", where
            )
        unknown = sorted(set(value) - _KEYS)
        if unknown:
            raise InvalidSelector(
                f"selector {_name(where)}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}",
                (*where, unknown[0]),
            )
        kind, expression = measured(*_kind_of(_typed(value, "selector", str, None, where), where))
        if "type" in value:
            try:
                kind = SelectorType(value["type"])
            except ValueError:
                raise InvalidSelector(
                    f"selector {_name(where)}: type must be one of {', '.join(SelectorType)}",
                    (*where, "type"),
                ) from None
        nested = _typed(value, "fields", Mapping, {}, where)
        return Selector(
            selector=expression,
            type=kind,
            attr=_typed(value, "attr", str, None, where) if value.get("attr") is not None else None,
            many=_typed(value, "many", bool, False, where),
            fields=fields(nested, (*where, "fields"), depth + 1),
            transform=_transforms(value.get("transform"), where),
            default=value.get("default"),
            required=_typed(value, "required", bool, False, where),
        )

    return fields(raw, ("selectors",), 1)


def _kind_of(expression: str, where: tuple[str | int, ...]) -> tuple[SelectorType, str]:
    """The language of an expression, by how it begins, and the expression without its prefix."""
    text = expression.strip()
    if not text:
        raise InvalidSelector(f"selector {_name(where)}: is empty", where)
    if len(text) > MAX_LENGTH:
        raise InvalidSelector(f"selector {_name(where)}: is longer than {MAX_LENGTH:,} characters", where)
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return kind, text[len(prefix) :].strip()
    if text.startswith(("/", "./", "(/", "(./")):
        return SelectorType.XPATH, text
    if text == "$" or text.startswith(("$.", "$[")):
        return SelectorType.JSONPATH, text
    return SelectorType.CSS, text


def _typed(value: Mapping[str, Any], key: str, kind: type, default: Any, where: tuple[str | int, ...]) -> Any:
    found = value.get(key, default)
    if not isinstance(found, kind):
        wanted = {str: "a string", bool: "true or false", Mapping: "an object"}[kind]
        problem = "is missing" if found is None and key not in value else f"must be {wanted}"
        raise InvalidSelector(f"selector {_name(where)}: {key} {problem}", (*where, key))
    return found


def _transforms(value: Any, where: tuple[str | int, ...]) -> tuple[str, ...]:
    if value is None:
        return ()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) > 20:
        raise InvalidSelector(
            f"selector {_name(where)}: transform must be a name or a list of at most 20 names",
            (*where, "transform"),
        )
    return tuple(names)


def _name(where: tuple[str | int, ...]) -> str:
    return repr(".".join(str(part) for part in where[1:] if part != "fields"))
