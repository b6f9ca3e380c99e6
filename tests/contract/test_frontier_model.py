"""The frontier beside a model of it, under any order of calls."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contract.conftest import BACKENDS, failed, handled, make_job, request_of, retried
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.job import JobStatus

SECONDS = 10.0


class FrontierMachine(RuleBasedStateMachine):
    backend = "sqlite"

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.store = self.do(self.stack.enter_async_context(BACKENDS[self.backend](Path(folder))))
        self.job = make_job(pages=20)
        self.now = 1_000.0
        self.known = {}
        self.leases = {}
        self.rows = []
        self.asked = set()
        self.do(self.store.jobs.add(self.job, []))
        self.do(self.store.jobs.transition(self.job.id, JobStatus.RUNNING, now=self.now))

    def do(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def teardown(self):
        self.do(self.stack.aclose())
        self.loop.close()

    @rule(names=st.lists(st.integers(0, 40), max_size=8))
    def add(self, names):
        new = self.do(self.store.frontier.add(self.job.id, [request_of(str(name)) for name in names]))
        fresh = {f"http://site/{name}" for name in names} - set(self.known)
        assert new == len(fresh)
        self.known.update(dict.fromkeys(fresh, "queued"))

    @rule(holder=st.sampled_from("xyz"), limit=st.integers(1, 6))
    def lease(self, holder, limit):
        expired = [url for url, (_, _, end) in self.leases.items() if end < self.now]
        for url in expired:
            del self.leases[url]
            self.known[url] = "queued"
        got = self.do(self.store.frontier.lease(self.job.id, holder, limit, SECONDS, now=self.now))
        assert len({one.url for one in got}) == len(got) <= limit
        for one in got:
            assert self.known[one.url] == "queued", one
            assert one.asked == (one.url in self.asked)
            self.known[one.url] = "leased"
            self.leases[one.url] = (holder, one, self.now + SECONDS)
        if got:  # all that a holder has ends at one time
            for url, (by, one, _) in self.leases.items():
                if by == holder:
                    self.leases[url] = (by, one, self.now + SECONDS)
        assert len(self.asked | set(self.leases)) <= 20

    @rule(seconds=st.floats(0.5, 12))
    def wait(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), verdict=st.sampled_from(["handled", "failed", "retry"]), wrong=st.booleans())
    def commit(self, data, verdict, wrong):
        url = data.draw(st.sampled_from(sorted(self.leases)))
        holder, one, _ = self.leases[url]
        make = {
            "handled": lambda: handled(one, [url.encode()]),
            "failed": lambda: failed(one),
            "retry": lambda: retried(one, 0.0),
        }
        outcome = make[verdict]()
        if wrong:
            with pytest.raises(LeaseLost):
                self.do(self.store.frontier.commit(self.job.id, f"not {holder}", [outcome]))
            return
        self.do(self.store.frontier.commit(self.job.id, holder, [outcome]))
        del self.leases[url]
        self.asked.add(url)
        self.known[url] = {"handled": "handled", "failed": "failed", "retry": "queued"}[verdict]
        if verdict == "handled":
            self.rows.append(url.encode())

    @rule()
    def retry_failed(self):
        gone = [url for url, state in self.known.items() if state == "failed"]
        assert self.do(self.store.frontier.retry_failed(self.job.id, now=self.now)) == len(gone)
        self.known.update(dict.fromkeys(gone, "queued"))
        assert self.do(self.store.frontier.failures(self.job.id)) == ([], 0)

    @precondition(lambda self: self.leases)
    @rule(holder=st.sampled_from("xyz"))
    def release(self, holder):
        self.do(self.store.frontier.release(self.job.id, holder))
        for url in [url for url, (by, _, _) in self.leases.items() if by == holder]:
            del self.leases[url]
            self.known[url] = "queued"

    @invariant()
    def counters_and_rows_agree(self):
        counters = self.do(self.store.frontier.counters(self.job.id))
        states = list(self.known.values())
        assert counters.discovered == len(states)
        assert counters.queued == states.count("queued")
        assert counters.leased == states.count("leased")
        assert counters.fetched == states.count("handled")
        assert counters.failed == states.count("failed")
        assert counters.attempted == len(self.asked)
        assert counters.items == len(self.rows)
        rows = self.do(self.store.results.page(self.job.id, limit=1_000))
        assert [row.data for row in rows] == self.rows
        assert self.do(self.store.frontier.recount(self.job.id)) == counters


class MongoFrontierMachine(FrontierMachine):
    backend = "mongo"


for machine, examples in ((FrontierMachine, 60), (MongoFrontierMachine, 12)):
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
TestFrontier = FrontierMachine.TestCase
TestMongoFrontier = MongoFrontierMachine.TestCase
