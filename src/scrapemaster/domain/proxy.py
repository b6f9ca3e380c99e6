"""Proxies: what they are called, and what state they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

from scrapemaster.domain.errors import InvalidInput, InvalidUrl
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy_health import Health
from scrapemaster.domain.url import parse_url

#: With `socks5h` the proxy would resolve names; here it is the same as `socks5`, because names are resolved where they are vetted.
SCHEMES = ("http", "https", "socks5", "socks5h")
#: What stands for credentials wherever a proxy is shown.
MASK = "***"
#: How an order asks for the pool, or for the proxies of the pool that have a tag.
POOL = "pool"
_POOL_TAG = "pool:"
_LONGEST = 2_048
#: Bytes of a user name, and of a password, that SOCKS 5 can carry (RFC 1929).
_LONGEST_PART = 255


class ProxyState(StrEnum):
    """What a proxy of the pool can do: see `state_of`."""

    ACTIVE = "active"
    COOLDOWN = "cooldown"
    BANNED = "banned"
    DEAD = "dead"


@dataclass(slots=True, frozen=True)
class Proxy:
    """A proxy of the pool. `url` is normal (`parse_proxy`) and has its credentials; show `masked(url)` instead.

    Proxies of a lower `tier` are used first: give cheap ones 0. `enabled`: jobs may use it. Times are epoch seconds.
    """

    id: ProxyId
    url: str
    created_at: float
    tier: int = 0
    tags: Sequence[str] = ()
    enabled: bool = True


@dataclass(slots=True, frozen=True)
class Standing:
    """What is known of a proxy: its own health, and at how many hosts it was used of late, and of them is banned now."""

    health: Health = field(default_factory=Health)
    hosts: int = 0
    hosts_banned: int = 0


def state_of(standing: Standing, now: float) -> ProxyState:
    """The state of a proxy.

    `dead`: no connection could be made to it for an hour. `cooldown`: it rests because none could be made of late. `banned`: every
    host it was used for of late has banned it. Else `active`, though single hosts may have banned it.
    """
    if standing.health.dead:
        return ProxyState.DEAD
    if standing.health.resting(now):
        return ProxyState.COOLDOWN
    if standing.hosts_banned and standing.hosts_banned >= standing.hosts:
        return ProxyState.BANNED
    return ProxyState.ACTIVE


@dataclass(slots=True, frozen=True)
class StateFigures:
    """Proxies in one state: how many, and their mean success rate in percent."""

    count: int
    avg_success_rate: float


def figures_of(standings: Sequence[Standing], now: float) -> Mapping[ProxyState, StateFigures]:
    """Figures for each state that some proxy is in. A proxy that was not used of late counts as one that never failed."""
    rates: dict[ProxyState, list[float]] = {}
    for standing in standings:
        rates.setdefault(state_of(standing, now), []).append(standing.health.percent)
    return {state: StateFigures(len(of), round(sum(of) / len(of), 1)) for state, of in rates.items()}


def parse_proxy(text: str) -> str:
    """The normal form of a proxy's URL: scheme, perhaps credentials, host, port, and nothing else.

    Raises `InvalidUrl`, whose message has nothing of `text` in it that could be a password.
    """
    if len(text) > _LONGEST:
        raise InvalidUrl(f"the proxy's URL is longer than {_LONGEST:,} characters")
    scheme, mark, rest = text.strip().partition("://")
    scheme = scheme.lower()
    authority = rest.removesuffix("/")
    if not mark or scheme not in SCHEMES or any(sign in authority for sign in "/?#\\") or not authority:
        raise InvalidUrl(_HINT)
    credentials, at, place = authority.rpartition("@")
    try:
        # Read as URLs of pages are, so that every spelling of an address means one thing, whoever reads it next.
        host, port = urlsplit(parse_url(f"http://{place}/")).hostname, urlsplit(f"//{place}").port
    except (InvalidUrl, ValueError):
        raise InvalidUrl(_HINT) from None
    if not host or not port:
        raise InvalidUrl(_HINT)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not at:
        return f"{scheme}://{place}"
    user, colon, password = credentials.partition(":")
    try:
        user, password = (quote(unquote(part), safe="") for part in (user, password))
    except UnicodeEncodeError:
        raise InvalidUrl(_CREDENTIALS) from None
    if (
        not user
        or "%00" in user + password
        or max(len(unquote(user)), len(unquote(password))) > _LONGEST_PART
    ):
        raise InvalidUrl(_CREDENTIALS)
    return f"{scheme}://{user}{colon}{password}@{place}"


_HINT = f"the proxy must be a URL with a port, such as http://proxy.example:3128 ({', '.join(SCHEMES)})"
_CREDENTIALS = (
    "the proxy's user name and password must be text of at most 255 characters, and there must be a user name"
)


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a normal proxy URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def credentials_of(url: str) -> tuple[str, str] | None:
    """User name and password of a normal proxy URL; None for one without."""
    parts = urlsplit(url)
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def masked(url: str) -> str:
    """A normal proxy URL as it may be shown."""
    head, at, place = url.rpartition("@")
    return f"{head.partition('://')[0]}://{MASK}@{place}" if at else url


def identity_of(url: str) -> str:
    """What tells one proxy from another: a normal URL without its password. Providers tell exits apart by user name."""
    head, at, place = url.rpartition("@")
    if not at:
        return url
    scheme, _, credentials = head.partition("://")
    return f"{scheme}://{credentials.partition(':')[0]}@{place}"


def pool_tag(asked: str) -> str | None:
    """The tag that `pool:tag` names; None for any proxy."""
    return asked[len(_POOL_TAG) :] if asked.startswith(_POOL_TAG) else None


def is_pool(asked: str) -> bool:
    """Whether `config.proxy` asks for the pool."""
    return asked == POOL or asked.startswith(_POOL_TAG)


def checked_choice(asked: str) -> str:
    """`config.proxy` in its normal form: `none`, `pool`, `pool:tag`, or a proxy's URL. Raises `InvalidInput`."""
    if asked in {"none", POOL}:
        return asked
    if asked.startswith(_POOL_TAG):
        if not pool_tag(asked):
            raise InvalidInput("name a tag after pool:, such as pool:residential")
        return asked
    return parse_proxy(asked)
