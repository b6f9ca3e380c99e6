"""Scrapy's settings as a job may give them: what is allowed, and what of the job's config they mean."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidInput, MissingExtra
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.scrapy_settings import _RULES, ScrapyRules, applied
from scrapemaster.engines.scrapy import ScrapyEngine
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle

RULES = ScrapyRules(frozenset({"a.B"}), ["MINE_*", "OWN"])
VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.none(),
    st.lists(st.integers()), st.dictionaries(st.text(), st.text() | st.integers()),
)  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"AUTOTHROTTLE_ENABLED": True, "AUTOTHROTTLE_START_DELAY": 1},
        {"DOWNLOADER_MIDDLEWARES": {"a.B": 0}, "EXTENSIONS": {"a.B": 1_000}, "ITEM_PIPELINES": {}},
        {"MINE_LIST": ["x"], "MINE_": {"y": None}, "OWN": 1},
        {"RETRY_HTTP_CODES": [429, 503], "DEFAULT_REQUEST_HEADERS": {"Accept": "*/*"}},
    ],
)
def test_what_is_allowed_passes(settings):
    RULES.check(settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"SCHEDULER": "a.B"}, "'SCHEDULER' is not allowed; allowed are AUTOTHROTTLE_ENABLED, .*, MINE_\\*, OWN"),
        ({"JOBDIR": "/etc"}, "use pause and resume"),
        ({"OWNER": 1}, "'OWNER' is not allowed"),
        ({"SPIDER_MIDDLEWARES": {"a.C": 1}}, "'a.C', which is not among .* SCRAPEMASTER_SCRAPY_COMPONENTS \\(a.B\\)"),
        ({"SPIDER_MIDDLEWARES": {"a.B": None}}, "the order of a.B .* from 0 to 1,000"),
        ({"SPIDER_MIDDLEWARES": {"a.B": True}}, "the order of a.B"),
        ({"SPIDER_MIDDLEWARES": {"a.B": 1_001}}, "the order of a.B"),
        ({"SPIDER_MIDDLEWARES": ["a.B"]}, "must be an object of import paths"),
        ({"COOKIES_ENABLED": 1}, "must be true or false"),
        ({"RETRY_TIMES": True}, "must be a whole number from 0 to 20"),
        ({"DOWNLOAD_DELAY": "1"}, "must be seconds"),
        ({"DOWNLOAD_DELAY": float("nan")}, "must be seconds"),
        ({"RETRY_HTTP_CODES": [200]}, "statuses from 300 to 599"),
        ({"DEFAULT_REQUEST_HEADERS": {"Accept": None}}, "headers and their texts"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_says_what_is(settings, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        RULES.check(settings)

    assert caught.value.where == ("config", "scrapy_settings", next(iter(settings)))


@given(st.dictionaries(st.sampled_from([*_RULES, "FEEDS", "x"]), VALUES))
def test_what_passes_can_be_applied_and_applying_it_again_changes_nothing(settings):
    config = JobConfig(scrapy_settings=settings)
    try:
        RULES.check(settings)
    except InvalidInput:
        applied(config)  # whatever it is, it is no fault of ours
        return

    once = applied(config)

    assert applied(once) == once
    assert type(once.delay) is type(once.timeout) is float


def test_settings_that_the_service_has_itself_go_into_the_config():
    settings = {
        "CONCURRENT_REQUESTS": 3, "DEPTH_LIMIT": 2, "DOWNLOAD_DELAY": 1, "DOWNLOAD_MAXSIZE": 5_000, "DOWNLOAD_TIMEOUT": 9,
        "RETRY_TIMES": 1, "ROBOTSTXT_OBEY": False, "USER_AGENT": "Ada", "DEFAULT_REQUEST_HEADERS": {"accept": "a", "x-b": "c"},
    }  # fmt: skip

    config = applied(JobConfig(headers={"Accept": "mine"}, scrapy_settings=settings))

    assert (config.concurrency, config.max_depth, config.delay, config.max_body_bytes) == (3, 2, 1.0, 5_000)
    assert (config.timeout, config.max_retries, config.respect_robots, config.user_agent) == (
        9.0,
        1,
        False,
        "Ada",
    )
    assert config.headers == {"Accept": "mine", "x-b": "c"}
    assert applied(JobConfig(scrapy_settings={"DEPTH_LIMIT": 0})).max_depth is None
    assert applied(JobConfig(scrapy_settings={"RETRY_ENABLED": False, "RETRY_TIMES": 5})).max_retries == 0


def test_the_config_and_a_setting_must_not_say_different_things():
    with pytest.raises(
        InvalidInput, match="config.delay and the Scrapy setting DOWNLOAD_DELAY say different"
    ):
        applied(JobConfig(delay=2.0, scrapy_settings={"DOWNLOAD_DELAY": 1}))

    assert applied(JobConfig(delay=1.0, scrapy_settings={"DOWNLOAD_DELAY": 1})).delay == 1.0


def test_without_scrapy_the_engine_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scrapy", None)

    with pytest.raises(MissingExtra, match=r"pip install 'scrapemaster\[scrapy\]'"):
        ScrapyEngine(EgressPolicy(), Throttle(1), RULES).check()
