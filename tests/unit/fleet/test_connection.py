import pytest

from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.fleet.connection import parse_sentinel
from scrapemaster.settings import load_settings


def test_a_sentinel_address_names_sentinels_service_and_credentials():
    address = parse_sentinel(
        "redis+sentinel://ada:p%40ss@10.0.0.1,s2:26380,[::1]:7/mymaster/3?sentinel_password=guard"
    )

    assert address.sentinels == [("10.0.0.1", 26_379), ("s2", 26_380), ("::1", 7)]
    assert address.service == "mymaster"
    assert address.options == {"username": "ada", "password": "p@ss", "db": 3}
    assert address.sentinel_options == {"password": "guard"}


def test_a_sentinel_address_with_tls_uses_it_for_sentinels_and_server():
    address = parse_sentinel("rediss+sentinel://s1/mymaster?ssl_ca_certs=/etc/ca.pem")

    assert address.options == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert address.sentinel_options == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis:/h",
        "redis://:open-sesame@",
        "redis+cluster://h",
        "redis+sentinel://:open-sesame@h:1",
        "memory://",
        "redis://:open-sesame@h:port",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidSetting, match="SCRAPEMASTER_REDIS_URL: must") as refused:
        load_settings(redis_url=url)

    assert "open-sesame" not in str(refused.value)
    assert url not in str(refused.value)
