import itertools
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput, InvalidUrl
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import (
    Proxy,
    ProxyState,
    Standing,
    address_of,
    checked_choice,
    credentials_of,
    figures_of,
    identity_of,
    is_pool,
    masked,
    parse_proxy,
    pool_tag,
    state_of,
)
from scrapemaster.domain.proxy_choice import Blame, Candidate, blame_of, choose, shortage_of
from scrapemaster.domain.proxy_health import DEAD_AFTER, LONGEST_REST, Delta, Health, Strike, added, rest_of

NOW = 1_000_000.0
TIMES = st.floats(NOW, NOW + 10_000)
STRIKES = st.builds(Strike, TIMES, st.floats(1, 600), st.booleans())
COUNTS = st.floats(0, 100)


@st.composite
def deltas(draw):
    good = draw(COUNTS)
    at = draw(TIMES)
    return Delta(
        at, good, draw(COUNTS), draw(COUNTS), at if good else 0.0, draw(st.none() | STRIKES), draw(st.booleans())
    )  # fmt: skip


def proxy(name, **changes):
    return Proxy(ProxyId(name), f"http://{name}.example:3128", 0.0, **changes)


def fresh(name, **changes):
    return Candidate(proxy(name, **changes), Health(), Health())


def struck(at, wait=60.0, *, banned=True, times=1):
    health = Health()
    for _ in range(times):
        health = added(health, Delta(at, bad=1, strike=Strike(at, wait, banned=banned)))
        at = health.until
    return health


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("  HTTPS://Proxy.Example:443/ ", "https://proxy.example:443"),
        ("socks5h://ada:p%40ss@10.1.2.3:1080", "socks5h://ada:p%40ss@10.1.2.3:1080"),
        ("http://ada:a@b:c@proxy.example:80", "http://ada:a%40b%3Ac@proxy.example:80"),
        ("http://0x7f.1:3128", "http://127.0.0.1:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://user@proxy.example:3128", "http://user@proxy.example:3128"),
    ],
)
def test_a_proxy_has_one_spelling(text, normal):
    assert parse_proxy(text) == normal
    assert parse_proxy(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "proxy.example:3128",
        "ftp://proxy.example:3128",
        "http://proxy.example",
        "http://proxy.example:0x1",
        "http://proxy.example:99999",
        "http://proxy.example:3128/path",
        "http://good.example:3128\\@127.0.0.1:22",
        "http://proxy.example:3128?x",
        "http://:secret@proxy.example:3128",
        "http://secret:secret@:3128",
        "http://secret@proxy example:3128",
        "http://secret%00@proxy.example:3128",
        "http://" + "secret" * 1_000 + "@proxy.example:1",
    ],
)
def test_H36_what_is_no_proxy_is_refused_and_not_repeated(text):
    with pytest.raises(InvalidUrl) as caught:
        parse_proxy(text)

    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_H36_credentials_are_kept_whole_and_never_shown(user, password):
    assume("\0" not in user + password)
    assume(not any(0xD800 <= ord(sign) < 0xE000 for sign in user + password))
    url = parse_proxy(f"socks5://{quote(user, safe='')}:{quote(password, safe='')}@proxy.example:1080")

    assert credentials_of(url) == (user, password)
    assert masked(url) == "socks5://***@proxy.example:1080"
    assert address_of(url) == ("proxy.example", 1080)
    assert identity_of(url) == identity_of(parse_proxy(f"socks5://{quote(user, safe='')}@proxy.example:1080"))


def test_what_an_order_may_choose():
    assert [checked_choice(asked) for asked in ("none", "pool", "pool:home", "http://a.example:1/")] == [
        "none", "pool", "pool:home", "http://a.example:1"
    ]  # fmt: skip
    assert [pool_tag("pool"), pool_tag("pool:home")] == [None, "home"]
    assert [is_pool(asked) for asked in ("pool", "pool:x", "none", "http://pool:1")] == [
        True,
        True,
        False,
        False,
    ]
    for asked in ("pool:", "Pool", "file:///x"):
        with pytest.raises(InvalidInput):
            checked_choice(asked)


@settings(deadline=None)
@given(st.permutations(range(4)), st.lists(deltas(), min_size=4, max_size=4))
def test_sums_of_several_processes_are_the_same_in_whatever_order_they_come(order, given_deltas):
    plain, other = Health(), Health()
    for delta in given_deltas:
        plain = added(plain, delta)
    for index in order:
        other = added(other, given_deltas[index])

    for name in ("at", "good", "bad", "seconds", "good_at"):
        assert getattr(other, name) == pytest.approx(getattr(plain, name), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(deltas(), deltas())
def test_two_deltas_added_at_once_are_two_deltas(first, second):
    plain = added(added(Health(), first), second)
    both = added(Health(), first.and_then(second))

    for name in ("at", "good", "bad", "seconds", "good_at"):
        assert getattr(both, name) == pytest.approx(getattr(plain, name), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.lists(deltas(), max_size=20))
def test_figures_stay_within_their_bounds(given_deltas):
    health = Health()
    for delta in given_deltas:
        health = added(health, delta)
        assert 0 <= health.percent <= 100
        assert 0 < health.rate(NOW + 10_000) <= 1
        assert health.latency(NOW + 10_000) > 0
        assert health.until <= NOW + 10_000 + LONGEST_REST
        assert health.on_trial == (health.strikes > 0) == (health.failing_since > 0)


def test_what_was_long_ago_weighs_little():
    bad = added(Health(), Delta(NOW, bad=50))

    assert bad.rate(NOW) < 0.1
    assert bad.rate(NOW + 600) < bad.rate(NOW + 6_000)
    assert bad.rate(NOW + 20_000) == pytest.approx(Health().rate(NOW), abs=1e-3)


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(1, 600))
def test_rests_double_up_to_an_hour(strikes, wait):
    assert rest_of(1, wait) == min(wait, LONGEST_REST)
    assert rest_of(strikes, wait) <= rest_of(strikes + 1, wait) <= LONGEST_REST


def test_strikes_of_two_processes_during_one_rest_are_one():
    once = struck(NOW)
    twice = added(once, Delta(NOW + 5, bad=1, strike=Strike(NOW + 5, 60.0, banned=True)))

    assert (twice.strikes, twice.until) == (1, NOW + 60)


def test_a_success_after_the_rest_ends_the_row_and_one_during_it_does_not():
    health = struck(NOW)
    late = added(health, Delta(NOW + 30, good=1, good_at=NOW + 30))
    over = added(health, Delta(NOW + 61, good=1, good_at=NOW + 61))
    checked = added(health, Delta(NOW + 1, good=1, good_at=NOW + 1, cleared=True))

    assert (late.strikes, late.until) == (1, NOW + 60)
    assert (over.strikes, over.until, over.failing_since) == (0, 0, 0)
    assert not checked.on_trial


def test_who_cannot_be_reached_for_an_hour_is_dead_and_time_alone_kills_nobody():
    health, at = struck(NOW, 10.0, banned=False), NOW
    assert state_of(Standing(health), NOW + 1) is ProxyState.COOLDOWN
    assert state_of(Standing(health), NOW + 10 * DEAD_AFTER) is ProxyState.ACTIVE
    while not health.dead:
        at = health.until
        health = added(health, Delta(at, bad=1, strike=Strike(at, 10.0)))

    assert at - NOW >= DEAD_AFTER
    assert state_of(Standing(health), at + 10 * DEAD_AFTER) is ProxyState.DEAD
    assert state_of(Standing(added(health, Delta(at, cleared=True))), at) is ProxyState.ACTIVE


def test_a_proxy_is_banned_when_every_host_has_banned_it():
    assert state_of(Standing(hosts=2, hosts_banned=2), NOW) is ProxyState.BANNED
    assert state_of(Standing(hosts=2, hosts_banned=1), NOW) is ProxyState.ACTIVE
    assert state_of(Standing(), NOW) is ProxyState.ACTIVE


def test_figures_are_counts_and_mean_rates_by_state():
    good, half = Health(good=3), Health(good=1, bad=1)
    figures = figures_of([Standing(good), Standing(half), Standing(half, 1, 1)], NOW)

    assert {state: (one.count, one.avg_success_rate) for state, one in figures.items()} == {
        ProxyState.ACTIVE: (2, 75.0),
        ProxyState.BANNED: (1, 50.0),
    }


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_cheap_tiers_go_first_and_dear_ones_when_no_cheap_one_can(chance):
    cheap, dear = fresh("cheap"), fresh("dear", tier=1)

    assert choose([dear, cheap], NOW, chance) is cheap
    assert choose([dear, replace(cheap, here=struck(NOW))], NOW, chance) is dear
    assert choose([dear, replace(cheap, proxy=proxy("cheap", enabled=False))], NOW, chance) is dear
    assert choose([dear, cheap], NOW, chance, {"cheap"}) is None
    assert choose([dear, cheap, fresh("other")], NOW, chance, {"cheap"}).proxy.id == "other"


@settings(deadline=None)
@given(st.integers(0, 60), st.floats(0, 1, exclude_max=True))
def test_a_fresh_proxy_is_tried_and_a_bad_one_seldom(bad, chance):
    worse = Candidate(proxy("worse"), Health(), added(Health(), Delta(NOW, bad=bad + 3)))
    chosen = choose([worse, fresh("fresh")], NOW, chance)

    share = _share(worse, fresh("fresh"))
    assert (chosen.proxy.id == "worse") == (chance < share)
    assert 0 < share < 0.3


def _share(first, second):
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if choose([first, second], NOW, middle) is first else (low, middle)
    return high


def test_the_quicker_of_two_good_ones_comes_more_often():
    quick = Candidate(proxy("q"), Health(), added(Health(), Delta(NOW, good=20, seconds=4, good_at=NOW)))
    slow = Candidate(proxy("s"), Health(), added(Health(), Delta(NOW, good=20, seconds=100, good_at=NOW)))

    assert _share(quick, slow) > 0.7


def test_a_proxy_on_trial_has_one_request_at_a_time():
    on_trial = Candidate(proxy("a"), Health(), struck(NOW))

    assert choose([on_trial], NOW + 59, 0.5) is None
    assert choose([on_trial], NOW + 60, 0.5) is on_trial
    assert choose([replace(on_trial, tried=True)], NOW + 60, 0.5) is None
    assert choose([replace(fresh("b"), tried=True)], NOW, 0.5) is not None


def test_a_shortage_says_what_keeps_the_proxies_and_until_when():
    shortage = shortage_of(
        [
            Candidate(proxy("a"), Health(), struck(NOW, 120.0)),
            Candidate(proxy("b"), struck(NOW, 30.0, banned=False), Health()),
            Candidate(proxy("c", enabled=False), Health(), Health()),
        ],
        NOW,
    )

    assert (shortage.total, shortage.banned, shortage.resting, shortage.dead, shortage.until) == (
        3, 1, 1, 1, NOW + 30
    )  # fmt: skip
    assert str(shortage) == (
        "none of the pool's 3 proxies can be used: 1 banned there, 1 resting, 1 dead or disabled"
    )
    assert shortage_of([], NOW).until is None
    assert "no proxy" in str(shortage_of([], NOW))


@pytest.mark.parametrize(
    ("reason", "status", "blame"),
    [
        ("proxy_error", None, Blame.PROXY),
        ("http_407", 407, Blame.PROXY),
        ("http_429", 429, Blame.BAN),
        ("challenge", 200, Blame.BAN),
        ("blocked", 403, Blame.BAN),
        ("http_403", 403, Blame.UNCLEAR),
        ("http_502", 502, Blame.UNCLEAR),
        ("timeout", None, Blame.UNCLEAR),
        ("proxy_refused", None, Blame.UNCLEAR),
        ("http_404", 404, Blame.NONE),
        ("login_wall", 200, Blame.NONE),
        ("egress_denied", None, Blame.NONE),
        ("body_too_large", None, Blame.NONE),
    ],
)
def test_whose_fault_an_end_is(reason, status, blame):
    assert blame_of(reason, status) is blame


def test_every_pair_of_states_has_a_name():
    assert [str(state) for state in ProxyState] == ["active", "cooldown", "banned", "dead"]
    assert len({*itertools.chain(ProxyState)}) == 4
