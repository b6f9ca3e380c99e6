import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.network import UNKNOWN, network_of
from scrapemaster.domain.rate_limit import PATTERN, UNITS, RateLimit, parse_rate_limit


@given(st.integers(1, 10**9 - 1), st.integers(1, 9_999), st.sampled_from(sorted(UNITS)))
def test_a_limit_reads_as_it_is_written(requests, several, unit):
    assert parse_rate_limit(f"{requests}/{several}{unit}") == RateLimit(requests, several * UNITS[unit])
    assert parse_rate_limit(f"{requests}/{unit}") == RateLimit(requests, UNITS[unit])


def test_off_is_no_limit():
    assert parse_rate_limit("off") is None


@given(
    st.one_of(
        st.text(max_size=20), st.from_regex(r"[0-9]{1,3} ?/ ?[0-9]{0,2}(hour|hours|week)", fullmatch=True)
    )
)
def test_what_the_pattern_of_the_api_takes_is_what_is_understood(text):
    if re.search(PATTERN, text) and not text.endswith("\n"):
        parse_rate_limit(text)
    else:
        with pytest.raises(InvalidInput):
            parse_rate_limit(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        ("not an address", UNKNOWN),
    ],
)
def test_an_address_counts_as_its_network(address, network):
    assert network_of(address) == network
