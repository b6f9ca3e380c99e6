"""What may be done to a value after it was selected. Values that cannot be transformed become None."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any

import orjson
import re2
from price_parser import Price

from scrapemaster.domain.url import join_url

#: Takes a value and the page's base URL.
Transform = Callable[[Any, str], Any]

_TAG = re.compile(r"<[^<>]*>")
#: Dates are short; what is longer is not one, and would only cost time.
_LONGEST_DATE = 100
_LONGEST_NUMBER = 200


def _text(function: Callable[[str], Any]) -> Transform:
    def apply(value: Any, _base: str) -> Any:
        return None if value is None else function(value if isinstance(value, str) else str(value))

    return apply


def _number(text: str) -> float | int | None:
    amount = _amount(text)
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() and "." not in str(amount) else float(amount)


def _amount(text: str) -> Decimal | None:
    text = text.strip()[:_LONGEST_NUMBER].replace("\u2212", "-")
    amount: Decimal | None = Price.fromstring(text).amount
    if amount is None:
        return None
    negative = re.search(r"-\s*[^\w\s]{0,3}\s*\d", text) is not None and amount > 0
    first = re.search(r"\d", text)
    negative = negative and first is not None and "-" in text[: first.start()]
    return -amount if negative else amount


def _integer(text: str) -> int | None:
    amount = _amount(text)
    return None if amount is None else int(amount)


def _price(text: str) -> float | None:
    amount = _amount(text)
    return None if amount is None else float(amount)


def _currency(text: str) -> str | None:
    currency: str | None = Price.fromstring(text[:_LONGEST_NUMBER]).currency
    return currency


@cache
def _date_parser() -> Callable[..., Any]:
    """It takes a while to load, which few jobs need."""
    import dateparser  # noqa: PLC0415 -- see above

    parse: Callable[..., Any] = dateparser.parse
    return parse


def _date(text: str) -> str | None:
    text = text.strip()
    if not text or len(text) > _LONGEST_DATE:
        return None
    found = _date_parser()(text, settings={"RETURN_AS_TIMEZONE_AWARE": False})
    return None if found is None else found.isoformat()


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _boolean(text: str) -> bool | None:
    word = text.strip().casefold()
    if word in {"true", "yes", "y", "1", "on", "in stock", "available"}:
        return True
    if word in {"false", "no", "n", "0", "off", "out of stock", "unavailable", "sold out"}:
        return False
    return None


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _url(value: Any, base: str) -> Any:
    return join_url(base, value.strip()) if isinstance(value, str) else None


PLAIN: Mapping[str, Transform] = {
    "strip": _text(str.strip),
    "squeeze": _text(lambda text: " ".join(text.split())),
    "lower": _text(str.lower),
    "upper": _text(str.upper),
    "title": _text(str.title),
    "number": _text(_number),
    "integer": _text(_integer),
    "price": _text(_price),
    "currency": _text(_currency),
    "date": _text(_date),
    "boolean": _text(_boolean),
    "text": _text(_plain),
    "json": _text(_json),
    "url": _url,
}


def _split(separator: str, text: str) -> list[str]:
    return [part.strip() for part in text.split(separator)]


def _search(pattern: Any, text: str) -> str | None:
    match = pattern.search(text)
    if match is None:
        return None
    found: str | None = match.group(1) if pattern.groups else match.group(0)
    return found


def _removed(what: str, text: str) -> str:
    return text.replace(what, "")


def compile_transform(name: str) -> Transform:
    """The transform of that name; raises `ValueError` with a sentence.

    Besides the plain ones: `regex:PATTERN` (first group, else the whole match; RE2 syntax, linear time),
    `split:SEPARATOR`, `remove:TEXT`.
    """
    if name in PLAIN:
        if name == "date":
            _date_parser()  # now, and not while the first page is worked on
        return PLAIN[name]
    kind, colon, argument = name.partition(":")
    if colon and argument:
        if kind == "regex":
            return _text(partial(_search, compile_regex(argument)))
        if kind == "split":
            return _text(partial(_split, argument))
        if kind == "remove":
            return _text(partial(_removed, argument))
    raise ValueError(
        f"there is no transform {name!r}; there are {', '.join(PLAIN)}, regex:PATTERN, split:SEPARATOR, remove:TEXT"
    )


def compile_regex(pattern: str) -> Any:
    """A pattern that runs in linear time whatever it is; raises `ValueError` with a sentence."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error
        raise ValueError(
            f"the pattern does not compile: {why} (RE2 syntax: no look-around, no back references)"
        ) from None
