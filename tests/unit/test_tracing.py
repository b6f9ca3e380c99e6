"""Spans as the library has them, with nobody to send them to."""

import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scrapemaster.crawl.sample import FETCHES_AT_MOST, SLOW_SECONDS, FetchSample, facts_of
from scrapemaster.domain.errors import InvalidSetting, MissingExtra
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import Leased
from scrapemaster.ports.tracing import NoTracer, Work
from scrapemaster.settings import load_settings
from scrapemaster.tracer_parts import build_tracer
from scrapemaster.tracing import OtelTracer, traces_url

ORDER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def kept():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(kept):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield OtelTracer(provider)
    provider.shutdown()


def outcome(elapsed, *, url="http://shop.example/a", fetched=True, verdict=Verdict.HANDLED, reason=None):
    leased = Leased(1, b"", url, 0)
    return Outcome(leased, verdict, url, fetched=fetched, elapsed=elapsed, status=200, reason=reason)


def test_what_is_within_an_order_is_in_its_trace_and_what_follows_is_linked_to_it(tracer, kept):
    with tracer.span(Work.SLICE, "slice", {}, within=ORDER) as within:
        pass
    with tracer.span(Work.SLICE, "slice", {}, follows=ORDER) as follows:
        pass

    first, later = kept.get_finished_spans()
    trace, span = int(ORDER[3:35], 16), int(ORDER[36:52], 16)
    assert within.traceparent.startswith(ORDER[:36])
    assert (first.context.trace_id, first.parent.span_id, first.links) == (trace, span, ())
    assert not follows.traceparent.startswith(ORDER[:36])
    assert later.parent is None
    assert [(link.context.trace_id, link.context.span_id) for link in later.links] == [(trace, span)]


@pytest.mark.parametrize(
    "garbage", ["", "00", "00-x-y-01", "é", ORDER.replace("4bf9", "4bfg"), "00-" + "0" * 53]
)
def test_what_cannot_be_read_of_an_order_is_ignored(tracer, kept, garbage):
    with tracer.span(Work.SLICE, "slice", {}, within=garbage):
        pass
    with tracer.span(Work.SLICE, "slice", {}, follows=garbage):
        pass
    with tracer.span(Work.REQUEST, "POST", {}, caller={"traceparent": garbage}):
        pass

    assert [(span.parent, span.links) for span in kept.get_finished_spans()] == [(None, ())] * 3


def test_a_failed_span_names_the_error_and_not_what_it_says(tracer, kept):
    with pytest.raises(RuntimeError), tracer.span(Work.SLICE, "slice", {}):
        raise RuntimeError("the password is hush")

    (span,) = kept.get_finished_spans()
    assert (span.status.is_ok, span.status.description, span.events) == (False, "RuntimeError", ())


def test_who_has_no_traces_has_none_to_carry():
    with NoTracer().span(Work.WAKE, "wake", {}) as span:
        span.tell({"a": 1})
        span.past(Work.FETCH, "fetch", {}, 1.0, None)

    assert (span.recording, span.traceparent) == (False, None)


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_the_first_fetch_of_a_slice_is_traced_and_slow_ones_up_to_a_bound(seed, pages):
    chance = Random(seed)
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    outcomes = [
        outcome(chance.choice([0.01, SLOW_SECONDS, 3.0]), fetched=chance.random() < 0.9) for _ in range(pages)
    ]

    with OtelTracer(provider).span(Work.SLICE, "slice", {}) as span:
        sample = FetchSample(span)
        for one in outcomes:
            sample.saw(one)

    fetched = [one.elapsed for one in outcomes if one.fetched]
    expected = [*fetched[:1], *(seconds for seconds in fetched[1:] if seconds >= SLOW_SECONDS)]
    fetches = [span for span in kept.get_finished_spans() if span.name == "fetch"]
    assert [(one.end_time - one.start_time) / 1e9 for one in fetches] == pytest.approx(
        expected[:FETCHES_AT_MOST]
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:hush@shop.example:8443/a/b?key=hush#hush", "https://shop.example:8443/a/b"),
        ("http://[2001:db8::1]:8080/?hush", "http://[2001:db8::1]:8080/"),
    ],
)
def test_a_fetch_tells_its_url_without_what_may_be_secret(url, shown):
    facts = facts_of(outcome(0.1, url=url, verdict=Verdict.FAILED, reason="http_404"))

    assert facts["url.full"] == shown
    assert facts["scrapemaster.reason"] == "http_404"
    assert "hush" not in str(facts)


@pytest.mark.parametrize(
    "endpoint", ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces", "http://c:4318/v1/traces/"]
)
def test_an_endpoint_is_a_base_or_the_whole_address(endpoint):
    assert traces_url(endpoint) == "http://c:4318/v1/traces"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("collector:4318", "such as http://127.0.0.1:4318"),
        ("grpc://collector:4317", "such as http://127.0.0.1:4318"),
        ("http://collector:x", "such as http://127.0.0.1:4318"),
        ("http://collector:4318/?key=hush", "without a query"),
        ("http://ada:hush@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_an_endpoint_that_is_none_is_told_in_a_sentence_without_repeating_it(monkeypatch, value, words):
    monkeypatch.setenv("SCRAPEMASTER_OTEL_ENDPOINT", value)

    with pytest.raises(InvalidSetting, match=words) as told:
        load_settings()

    assert "SCRAPEMASTER_OTEL_ENDPOINT" in str(told.value)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    "missing", ["opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk.trace"]
)
def test_without_the_extra_the_error_says_what_to_install(monkeypatch, missing):
    monkeypatch.delitem(sys.modules, "scrapemaster.tracing", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    settings = load_settings(otel_endpoint="http://127.0.0.1:4318")

    with (
        pytest.raises(MissingExtra, match=r"pip install 'scrapemaster\[otel\]'"),
        build_tracer(settings, "api"),
    ):
        pass
