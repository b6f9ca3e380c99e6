"""A real ScrapeMaster service in processes of its own, and a client for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests

from benchmarks.manual_server import free_port

PASSWORD = "correct-horse-battery"
TERMINAL = {"completed", "failed", "cancelled"}


class Service:
    """`scrapemaster serve` on a free port, allowed to reach loopback.

    `core` pins it, crawler included. `data_dir` outlives it when given. What it logs is added to `log`. `before` stands in
    front of its command; `command` may make it a fleet's (`("all", "--workers", "2")`). Use as a context manager.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        core: int | None = None,
        log: Path | None = None,
        before: Sequence[str] = (),
        command: Sequence[str] = ("serve",),
        **settings: str,
    ) -> None:
        self._temporary = None if data_dir else tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.data_dir = data_dir or Path(self._temporary.name if self._temporary else ".")
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}/api/v1"
        self.http = requests.Session()
        self._core = core
        self._log = log
        self._before = before
        self._command = command
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the service (the API process)."""
        return self._running().pid

    def start(self) -> None:
        """Start it, wait until it can serve, and sign in."""
        pin = ["taskset", "-c", str(self._core)] if self._core is not None else []
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self._log.open("ab")) if self._log else None
            self._process = subprocess.Popen(
                [*self._before, *pin, sys.executable, "-m", "scrapemaster", *self._command]  # noqa: RUF005 -- two lines of a command
                + ["--port", str(self.port), "--data-dir", str(self.data_dir)],
                env={
                    **os.environ,
                    "SCRAPEMASTER_EGRESS_ALLOW": "127.0.0.0/8",
                    "SCRAPEMASTER_ADMIN_PASSWORD": PASSWORD,
                    "SCRAPEMASTER_LOG_LEVEL": "warning",
                    "SCRAPEMASTER_RATE_LIMIT": "off",
                    "SCRAPEMASTER_REGISTER_LIMIT": "off",
                    **self.settings,
                },
                stderr=log,
            )
        self._wait_ready()
        answer = self.http.post(
            f"{self.base}/auth/login", data={"username": "admin", "password": PASSWORD}, timeout=60
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def stop(self) -> int:
        """Stop it as Ctrl-C or systemd would; returns its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=90)

    def kill(self) -> None:
        """End the service's process with SIGKILL; the crawler must notice by itself."""
        process = self._running()
        process.kill()
        process.wait()

    def crawler_pid(self) -> int | None:
        """Process id of the crawler, found as the service's child."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if b"scrapemaster.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        return None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def create(self, **order: Any) -> dict[str, Any]:
        """Create a job."""
        answer = self.http.post(f"{self.base}/jobs", json=order, timeout=30)
        if answer.status_code != 201:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str, wait: int | None = None) -> dict[str, Any]:
        """The job as it is now, or when it ended within `wait` seconds."""
        answer = self.http.get(
            f"{self.base}/jobs/{job_id}", params={"wait": wait} if wait else None, timeout=90
        )
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        return job

    def finished(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """The job once it is over; raises `TimeoutError` with its state if that takes too long."""
        end = time.monotonic() + seconds
        while True:
            job = self.job(job_id, wait=max(1, min(30, int(end - time.monotonic()))))
            if job["status"] in TERMINAL:
                return job
            if time.monotonic() > end:
                raise TimeoutError(f"after {seconds} s the job is {job}")

    def act(self, job_id: str, verb: str) -> dict[str, Any]:
        """Pause, resume or cancel."""
        answer = self.http.post(f"{self.base}/jobs/{job_id}/{verb}", timeout=30)
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        return job

    def rows(self, job_id: str) -> list[dict[str, Any]]:
        """All rows, by cursor."""
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            answer = self.http.get(
                f"{self.base}/results/{job_id}",
                params={"limit": 1000, **({"cursor": cursor} if cursor else {})},
                timeout=30,
            )
            answer.raise_for_status()
            page = answer.json()
            rows += page["results"]
            cursor = page.get("next")
            if not cursor:
                return rows

    def errors(self, job_id: str) -> list[dict[str, Any]]:
        """The pages that failed."""
        answer = self.http.get(f"{self.base}/jobs/{job_id}/errors", params={"limit": 1000}, timeout=30)
        answer.raise_for_status()
        errors: list[dict[str, Any]] = answer.json()
        return errors

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process

    def _wait_ready(self, seconds: float = 180.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._running().poll() is not None:
                raise RuntimeError(f"the service ended with code {self._running().returncode}")
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the service was not ready after {seconds} s")
