"""A real fleet on one machine: API processes and workers over one SQLite file and one Redis."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from benchmarks.service import PASSWORD, Service


class Fleet(Service):
    """`scrapemaster api` on a free port, and `workers` workers, each a `scrapemaster worker` of its own.

    `bare`: workers are the worker processes themselves, with nobody who starts them again.
    """

    def __init__(self, redis_url, workers=2, *, apis=1, bare=False, **settings):
        super().__init__(None, None, SCRAPEMASTER_REDIS_URL=redis_url, **settings)
        self.workers = []
        self._count, self._apis, self._bare = workers, apis, bare

    def __enter__(self):
        try:
            return super().__enter__()
        except BaseException:
            self.__exit__()
            raise

    def start(self):
        self._process = self._spawn(
            "-m", "scrapemaster", "api", "--port", str(self.port), "--processes", str(self._apis)
        )
        self._wait_ready()
        self.sign_in()
        for _ in range(self._count):
            self.add_worker()
        self.wait_for_workers(self._count)

    def _wait_ready(self, seconds=180.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self._process.poll() is None, f"the API ended with code {self._process.returncode}"
            # The socket is open before the processes that answer are there.
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the API was not ready after {seconds} s")

    def sign_in(self):
        answer = self.http.post(
            f"{self.base}/auth/login", data={"username": "admin", "password": PASSWORD}, timeout=60
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def add_worker(self, **settings):
        """One more; `settings` are its own."""
        command = ("-m", "scrapemaster.worker.fleet") if self._bare else ("-m", "scrapemaster", "worker")
        worker = self._spawn(*command, **settings)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count, seconds=180.0):
        """Wait until the fleet has so many workers."""
        end = time.monotonic() + seconds
        while len(seen := self.seen_workers()) != count:
            assert time.monotonic() < end, f"{len(seen)} workers instead of {count}"
            time.sleep(0.05)
        return seen

    def seen_workers(self):
        answer = self.http.get(f"{self.base}/monitoring/workers", timeout=60)
        return answer.json() if answer.status_code == 200 else []

    def system(self):
        return self.http.get(f"{self.base}/monitoring/system", timeout=60).json()

    def processes(self):
        """The pids of every process of the fleet."""
        return [
            pid
            for process in (self._process, *self.workers)
            if process and process.poll() is None
            for pid in (process.pid, *children_of(process.pid))
        ]

    def __exit__(self, *exc):
        for process in (*self.workers, self._process):
            if process is not None and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in (*self.workers, self._process):
            if process is not None:
                try:
                    process.wait(timeout=90)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
                finally:
                    for pipe in (process.stdin, process.stdout):
                        if pipe is not None:
                            pipe.close()
        self._temporary.cleanup()

    def _spawn(self, *arguments, **settings):
        pipe = subprocess.PIPE if self._bare and "scrapemaster.worker.fleet" in arguments else None
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=pipe,
            stdout=pipe,
            env={
                **os.environ,
                "SCRAPEMASTER_DATA_DIR": str(self.data_dir),
                "SCRAPEMASTER_EGRESS_ALLOW": "127.0.0.0/8",
                "SCRAPEMASTER_ADMIN_PASSWORD": PASSWORD,
                "SCRAPEMASTER_LOG_LEVEL": "warning",
                "SCRAPEMASTER_RATE_LIMIT": "off",
                "SCRAPEMASTER_REGISTER_LIMIT": "off",
                **self.settings,
                **settings,
            },
        )


def children_of(pid):
    """The process ids of a process's children."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def gone(pid, seconds=10.0):
    """Whether a process ends within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def crawl_order(url, **config):
    return {
        "url": url,
        "selectors": {"n": "p.n::text"},
        "config": {
            "follow_links": True,
            "max_pages": 1_000_000,
            "concurrency": 16,
            "respect_robots": False,
            **config,
        },
    }


def until(condition, seconds=180.0):
    """What the condition gives, once that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, condition
        time.sleep(0.05)
    return found


def assert_every_row_once(fleet, job_id, pages):
    job = fleet.finished(job_id, 300)
    assert (job["status"], job["stop_reason"]) == ("completed", "finished")
    assert (job["pages_fetched"], job["pages_failed"], job["items_scraped"]) == (pages, 0, pages)
    rows = Counter(int(row["data"]["n"]) for row in fleet.rows(job_id))
    assert rows == Counter(range(pages))


def told_of(fleet, part, health, seconds=90.0):
    """Ask again and again until a part is said to be so; the seconds it took."""
    began = time.monotonic()
    until(lambda: fleet.system()[part] == health, seconds)
    return time.monotonic() - began
