"""URLs as browsers read them, and one spelling for each.

Parsing follows the WHATWG URL Standard (https://url.spec.whatwg.org/), by the Ada parser. Two
URLs that this module spells alike are the same page; the rest is RFC 3986, section 6.2.2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

import ada_url

from scrapemaster.domain.errors import InvalidUrl

#: Longer URLs are traps or attacks; browsers and servers stop between 2,000 and 64,000 characters.
MAX_URL_LENGTH = 8_192

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
#: Names under which sites put a visitor's session into URLs; each visit has another, so that a site would have no end.
_SESSION_NAMES = (
    r"(?:phpsessid|jsessionid|aspsessionid\w{8}|cfid|cftoken|oscsid|zenid|sessionid|session_id|sessid|sid)"
)
#: As a path parameter (Java), and as a segment (ASP.NET).
_PATH_SESSION = re.compile(r"(?i);jsessionid=[^/;?]*|/\(s\([a-z0-9]{24}\)\)(?=/)")
#: Short values are numbers of things that are called so too.
_QUERY_SESSION = re.compile(rf"(?i){_SESSION_NAMES}=[0-9a-z,_.!-]{{16,}}")
_MAYBE_SESSION = re.compile(r"(?i)s(?:ess)?id|session|\(s\(|cfid|cftoken|zenid")
_TRIPLET = re.compile(r"%([0-9a-fA-F]{2})")


def parse_url(text: str) -> str:
    """The normal form of an absolute http(s) URL, without its fragment and credentials.

    Raises `InvalidUrl` with a sentence for a person.
    """
    if len(text) > MAX_URL_LENGTH:
        raise InvalidUrl(f"the URL is longer than {MAX_URL_LENGTH:,} characters")
    try:
        parsed = ada_url.URL(text)
    except ValueError:
        raise InvalidUrl(
            f"{text[:200]!r} is not an absolute URL; write it whole, like https://example.com/page"
        ) from None
    if parsed.protocol not in {"http:", "https:"}:
        raise InvalidUrl(f"{parsed.protocol.rstrip(':')!r} URLs cannot be fetched; only http and https can")
    if parsed.username or parsed.password:
        raise InvalidUrl("credentials in a URL are not accepted; send them as a header instead")
    href: str = parsed.href
    return href.partition("#")[0]


def join_url(base: str, reference: str) -> str | None:
    """`reference` as found on the page at `base`, absolute and normal, without its fragment.

    None when it is not an http(s) URL, carries credentials, does not parse, or is too long. This
    is called for every link of every page, and so raises nothing.
    """
    try:
        joined: str = ada_url.join_url(base, reference)
    except ValueError:
        return None
    if not joined.startswith(("http://", "https://")) or len(joined) > MAX_URL_LENGTH:
        return None
    joined = joined.partition("#")[0]
    authority = joined[: joined.find("/", 8)]
    return None if "@" in authority else joined


def canonical_url(url: str, *, sort_query: bool = False) -> str:
    """The spelling that stands for every equivalent spelling of a normal URL; idempotent.

    On top of `parse_url`: escapes of unreserved characters are undone, the others are written in
    capitals, session ids are left out, and a query's parameters are sorted when asked for.
    """
    if "%" in url:
        url = _TRIPLET.sub(_normal_triplet, url)
        url = ada_url.URL(url).href.partition("#")[0]
    if _MAYBE_SESSION.search(url) is not None:
        url = _without_session(url)
    if sort_query and "?" in url:
        head, _, query = url.partition("?")
        url = f"{head}?{'&'.join(sorted(query.split('&')))}"
    return url


def _without_session(url: str) -> str:
    head, mark, query = url.partition("?")
    start = head.find("/", 8)
    head = head[:start] + _PATH_SESSION.sub("", head[start:])
    if mark:
        kept = [part for part in query.split("&") if _QUERY_SESSION.fullmatch(part) is None]
        query = "&".join(kept)
        mark = "?" if kept else ""
    return f"{head}{mark}{query}"


def _normal_triplet(match: re.Match[str]) -> str:
    value = int(match[1], 16)
    return chr(value) if value in _UNRESERVED else f"%{match[1].upper()}"


def host_of(url: str) -> str:
    """The host name of a normal URL, without its port; an IPv6 address keeps no brackets."""
    return _host_of_origin(origin_of(url))


@lru_cache(maxsize=8_192)
def _host_of_origin(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def origin_of(url: str) -> str:
    """Scheme, host and port of a normal URL, as `https://example.com:8443`."""
    end = url.find("/", 8)
    return url if end < 0 else url[:end]
