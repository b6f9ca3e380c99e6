from random import Random

import pytest

from scrapemaster.crawl.verdict import MOST_INTERRUPTIONS, check_poison, outcome_of_error
from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.outcome import Verdict
from scrapemaster.domain.request import Leased, fingerprint

URL = "http://e.com/"


def leased(attempts=0):
    return Leased(1, fingerprint(URL), URL, 0, attempts)


def verdict(error, attempts=0, max_retries=3):
    return outcome_of_error(leased(attempts), error, max_retries=max_retries, now=1_000.0, rng=Random(1))


def test_a_passing_failure_is_tried_again_later():
    outcome = verdict(RetryPage("http_503", status=503))

    assert outcome.verdict is Verdict.RETRY
    assert outcome.retry_at > 1_000.0


def test_the_wait_a_server_asks_for_is_kept():
    outcome = verdict(RetryPage("http_429", status=429, retry_after=120.0))

    assert outcome.retry_at >= 1_120.0


def test_after_the_last_retry_the_page_has_failed_with_its_reason():
    outcome = verdict(RetryPage("timeout", "no answer within 30 s"), attempts=3)

    assert (outcome.verdict, outcome.reason, outcome.detail) == (
        Verdict.FAILED,
        "timeout",
        "no answer within 30 s",
    )


def test_no_retries_means_none():
    assert verdict(RetryPage("timeout"), max_retries=0).verdict is Verdict.FAILED


@pytest.mark.parametrize("reason", ["robots_denied", "not_html", "offsite_redirect"])
def test_what_is_left_out_by_rule_is_skipped_not_failed(reason):
    assert verdict(GiveUpPage(reason)).verdict is Verdict.SKIPPED


def test_a_page_the_server_was_never_asked_for_does_not_count_as_fetched():
    assert verdict(GiveUpPage("robots_denied")).fetched is False
    assert verdict(GiveUpPage("egress_denied")).fetched is False
    assert verdict(GiveUpPage("http_404", status=404)).fetched is True


def test_H47_a_page_beside_which_workers_died_again_and_again_is_given_up_only_in_the_end():
    mark = fingerprint(URL)
    for interruptions in range(MOST_INTERRUPTIONS):
        check_poison(Leased(1, mark, URL, 0, 0, interruptions))

    with pytest.raises(GiveUpPage) as caught:
        check_poison(Leased(1, mark, URL, 0, 0, MOST_INTERRUPTIONS))
    assert caught.value.reason == "poison"
