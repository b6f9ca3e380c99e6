"""The API under load, beside a FastAPI route with nothing behind it that answers as much."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.manual_server import free_port, wait_for_port
from benchmarks.options import Options
from benchmarks.plot import Bars
from benchmarks.processes import Meter
from benchmarks.race import CRAWLER_CORE, SERVER_CORE
from benchmarks.report import Section, Table, Target
from benchmarks.rows import job_with_rows
from benchmarks.service import Service

_CONNECTIONS = 16
#: Seconds of requests that do not count.
_WARM_UP = 2
#: A port of loopback on which nothing listens (RFC 863's discard).
_NOWHERE = "http://127.0.0.1:9/"


@dataclass(frozen=True)
class Asked:
    """A route of ours. `file`: its answer's name. `body`: what is posted; None: it is a GET. `target`: its rate is one, in words."""

    name: str
    file: str
    path: str
    body: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class Loaded:
    """Requests a second, the milliseconds of processor time that one took, and the 99th percentile of how long one took."""

    rate: float
    cpu_ms: float
    p99: str


@dataclass(frozen=True)
class Answered:
    """A route's medians: ours, of FastAPI where it makes the body of data, and where the bytes are ready."""

    name: str
    target: str | None
    bytes: int
    ours: Loaded
    data: Loaded
    ready: Loaded


def _load(pid: int, url: str, token: str, body: str | None, seconds: int) -> Loaded:
    """Ask by wrk, from the core that the API has not; `pid` is its process."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        lines = [f'wrk.headers["Authorization"] = {json.dumps(token)}']
        if body is not None:
            lines += ['wrk.method = "POST"', 'wrk.headers["Content-Type"] = "application/json"']
            lines += [f"wrk.body = {json.dumps(body)}"]
        script.write_text("\n".join(lines))
        command = ["taskset", "-c", str(SERVER_CORE), "wrk", "-t", "1", "-c", str(_CONNECTIONS), "--latency"]
        command += ["-d", f"{seconds}s", "--timeout", "30s", "-s", str(script), url]
        with Meter(pid) as meter:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"errors at {url}: {done.stdout}")
    rate = float(done.stdout.partition("Requests/sec:")[2].split()[0])
    count = int(done.stdout.partition(" requests in")[0].split()[-1])
    return Loaded(rate, 1e3 * meter.cpu / count, done.stdout.partition("99%")[2].split()[0])


def _median(runs: Sequence[Loaded]) -> Loaded:
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


@contextmanager
def _bare(bodies: dict[str, bytes]) -> Iterator[tuple[int, str]]:
    """Serve the bodies by FastAPI alone, on the core that the service has in its turn."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in bodies.items():
            (Path(folder) / name).write_bytes(body)
        port = free_port()
        process = subprocess.Popen(
            [
                "taskset",
                "-c",
                str(CRAWLER_CORE),
                sys.executable,
                "-m",
                "benchmarks.bare_api",
                str(port),
                folder,
            ],
            cwd=Path(__file__).parents[2],
        )
        try:
            wait_for_port(port)
            yield process.pid, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _measure(service: Service, job: str, seconds: int, repeats: int) -> list[Answered]:
    order = json.dumps({"url": _NOWHERE, "selectors": {"title": "h1::text"}})
    routes = (
        Asked("`GET /jobs/{id}`", "job", f"/jobs/{job}", target="job reads"),
        Asked(
            "`GET /results/{id}?limit=1000`",
            "rows",
            f"/results/{job}?limit=1000",
            target="a page of 1,000 rows",
        ),
        Asked("`GET /results/{id}?limit=20`", "few", f"/results/{job}?limit=20"),
        Asked("`GET /jobs?limit=50`", "jobs", "/jobs?limit=50"),
        Asked("`POST /jobs`", "create", "/jobs", body=order),
    )
    token = str(service.http.headers["Authorization"])
    for _ in range(50):
        service.create(**json.loads(order))
    bodies = {}
    for route in routes:
        answer = service.http.request(
            "POST" if route.body else "GET",
            f"{service.base}{route.path}",
            data=route.body,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        answer.raise_for_status()
        bodies[route.file] = answer.content
    answered = []
    # What the service does once after its start is no request's.
    _load(service.pid, f"{service.base}{routes[0].path}", token, None, _WARM_UP)
    with _bare(bodies) as (bare_pid, bare):
        for route in routes:
            runs: dict[str, list[Loaded]] = {"ours": [], "data": [], "ready": []}
            for _ in range(repeats):
                runs["ours"].append(
                    _load(service.pid, f"{service.base}{route.path}", token, route.body, seconds)
                )
                for kind in ("data", "ready"):
                    url = f"{bare}/{kind}/{route.file}"
                    runs[kind].append(_load(bare_pid, url, token, route.body, seconds))
            medians = {name: _median(some) for name, some in runs.items()}
            answered.append(Answered(route.name, route.target, len(bodies[route.file]), **medians))
            print(f"  {answered[-1]}", flush=True)
    return answered


def api(options: Options) -> Section:
    """Reads of jobs and rows, and new jobs."""
    title = "The API under load"
    if shutil.which("wrk") is None:
        return Section(title, "Not measured: wrk is missing (`apt-get install wrk`).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = asyncio.run(job_with_rows(folder, options.size(2_000, 100_000)))
        with Service(folder, CRAWLER_CORE, SCRAPEMASTER_CRAWLER_PLACES="1") as service:
            figures = _measure(service, job, options.size(1, 5), options.repeats)
    rates = [
        [
            one.name,
            f"{one.bytes:,}",
            f"{one.ours.rate:,.0f}",
            f"{one.data.rate:,.0f}",
            f"{one.ours.rate / one.data.rate:.2f}",
            f"{one.ready.rate:,.0f}",
            f"{one.ours.rate / one.ready.rate:.2f}",
            one.ours.p99,
        ]
        for one in figures
    ]
    costs = [[one.name, *(f"{way.cpu_ms:.2f}" for way in (one.ours, one.data, one.ready))] for one in figures]
    columns = (
        *("route", "bytes", "requests/s", "bare, of data", "ours / that"),
        *("bare, bytes ready", "ours / that", "p99"),
    )
    return Section(
        title,
        f"wrk with {_CONNECTIONS} connections on one core, one API process on the other, with authentication, the rate limit off, a job of "
        "many rows of 500 bytes. Beside it, in turns, a FastAPI route with nothing behind it: one that returns the same data and lets FastAPI "
        "make the body of it, and one that returns the bytes ready-made. New jobs are durable when they are answered; of these one is worked on at a time.",
        [
            Table(columns, rates),
            Table(("CPU of a request, ms", "ours", "bare, of data", "bare, bytes ready"), costs),
        ],
        [
            target
            for one in figures
            if one.target
            for target in (
                Target(
                    f"{one.target}: rate / a bare FastAPI route that returns the data",
                    one.ours.rate / one.data.rate,
                    0.6,
                ),
                Target(
                    f"{one.target}: rate / a bare FastAPI route that has the bytes",
                    one.ours.rate / one.ready.rate,
                    0.6,
                ),
            )
        ],
        [
            Bars(
                "A page of 1,000 rows: answers a second",
                "api.svg",
                {
                    "ScrapeMaster": one.ours.rate,
                    "bare FastAPI, of data": one.data.rate,
                    "bare FastAPI, bytes": one.ready.rate,
                },
            )
            for one in figures
            if "1000" in one.name
        ],
        [asdict(one) for one in figures],
    )
