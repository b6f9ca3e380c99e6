import pytest

from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.settings import load_settings


def test_the_usual_limit_is_that_of_the_reference():
    assert load_settings().rate_limit == "100/hour"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rate_limit", "100", "RATE_LIMIT"),
        ("rate_limit", "0/hour", "RATE_LIMIT"),
        ("register_limit", "20 per hour", "REGISTER_LIMIT"),
        ("trusted_proxies", "10.0.0.1/8", "host bits"),
        ("trusted_proxies", "proxy.example", "not a network"),
        ("cors_origins", "https://app.example.com/", "without a path"),
        ("cors_origins", "app.example.com", "not an origin"),
        ("cors_origins", "https://*.example.com", "not an origin"),
        ("client_timeout", "0", "CLIENT_TIMEOUT"),
    ],
)
def test_a_setting_that_is_wrong_is_told_in_a_sentence(monkeypatch, name, value, words):
    monkeypatch.setenv(f"SCRAPEMASTER_{name}".upper(), value)

    with pytest.raises(InvalidSetting, match=words):
        load_settings()


def test_lists_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("SCRAPEMASTER_TRUSTED_PROXIES", "10.0.0.1, 2001:db8::/32,")
    monkeypatch.setenv("SCRAPEMASTER_CORS_ORIGINS", "https://a.example, http://[::1]:8080,*")

    settings = load_settings()

    assert settings.trusted_proxies == ("10.0.0.1/32", "2001:db8::/32")
    assert settings.cors_origins == ("https://a.example", "http://[::1]:8080", "*")
