"""A whole fleet, each part with a network address of its own: `python -m benchmarks.cluster [pages of a host] [most workers]`. Needs root.

One API process, workers, Redis, MongoDB, and a site of thirty hosts on thirty addresses, all in network namespaces of this machine. Prints pages a
second with one worker, with two, and so on, and what each part used of the processors; each run is checked: every row once, every page asked for once
by the site's own log.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import requests
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from benchmarks.mongo_server import program as mongod
from benchmarks.network import Network, available
from benchmarks.service import PASSWORD, TERMINAL

HOSTS = 30
#: Units of times in /proc (proc_pid_stat(5)).
_TICKS = os.sysconf("SC_CLK_TCK")
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  log_format site '$host $msec $request_time $uri';
  access_log {folder}/site.log site buffer=64k flush=1s;
  types {{ text/html html; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000; open_file_cache max=10000;
  server {{ listen 80; root {folder}/pages; }}
}}
"""


@dataclass(slots=True, frozen=True)
class Crawl:
    """What a crawl of all hosts came to. `gaps`: seconds between the arrivals of requests to one host, in their order, by host.

    `measured` is what was asked for at its end.
    """

    job: dict[str, Any]
    seconds: float
    rows: Counter[str]
    asked: Counter[str]
    gaps: dict[str, list[float]]
    measured: dict[str, float]


class Cluster:
    """A fleet whose parts are hosts of a network. `pages`: of each of the site's hosts. Use as a context manager."""

    def __init__(self, pages: int, *, redis: str | None = None, **settings: str) -> None:
        self.network = Network()
        self.pages = pages
        self.names = [f"site{number:02}.test" for number in range(HOSTS)]
        self._redis = redis or shutil.which("redis-server") or ""
        self._settings = settings
        self._made = contextlib.ExitStack()
        self.http = requests.Session()
        self._workers = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as made:
            self.network = made.enter_context(Network())
            # nginx's worker gives up root, and must reach its pages.
            self.folder = Path(made.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            self.folder.chmod(0o755)
            (redis,), (mongo,), (api,) = (self.network.host(name) for name in ("redis", "mongo", "api"))
            hosts = self.network.host("site", HOSTS)
            self._hosts = dict(zip(self.names, hosts, strict=True))
            self.network.names(self._hosts)
            self._made = made
            self._start_site()
            self._start_redis(redis)
            self._start_mongo(mongo)
            self._environment = {
                **os.environ,
                "SCRAPEMASTER_REDIS_URL": f"redis://{redis}:6379/0",
                "SCRAPEMASTER_MONGODB_URL": f"mongodb://{mongo}:27017/cluster?replicaSet=cluster",
                "SCRAPEMASTER_EGRESS_ALLOW": self.network.cidr,
                "SCRAPEMASTER_ADMIN_PASSWORD": PASSWORD,
                "SCRAPEMASTER_SECRET_KEY": "a secret that all the parts share, for a test",
                "SCRAPEMASTER_LOG_LEVEL": "warning",
                "SCRAPEMASTER_RATE_LIMIT": "off",
                **self._settings,
            }
            self.base = f"http://{api}:8000/api/v1"
            self._scrapemaster("api", "api", "--host", api, "--port", "8000")
            self._until(lambda: requests.get(f"http://{api}:8000/readyz", timeout=5).status_code == 200)
            self._sign_in()
            self._made = made.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._made.close()

    def add_worker(self) -> None:
        """Start a worker on a host of its own, and wait until the API knows it."""
        self._workers += 1
        name = f"worker{self._workers}"
        self.network.host(name)
        self.network.names(self._hosts)
        self._scrapemaster(name, "worker")
        self._until(lambda: len(self._get("/monitoring/workers")) == self._workers)

    def parts(self) -> dict[str, str]:
        """The hosts that parts run on, by the parts' names."""
        workers = [f"worker{number}" for number in range(1, self._workers + 1)]
        return {name: name for name in ("api", "redis", "mongo", "site", *workers)}

    def crawl(self, measured: Callable[[], dict[str, float]] = dict, **config: Any) -> Crawl:
        """Crawl all hosts and wait for the end, when `measured` is asked."""
        log = self.folder / "site.log"
        before = log.stat().st_size
        began = time.monotonic()
        order = {
            "urls": [f"http://{name}/0.html" for name in self.names],
            "selectors": {"title": "h1::text"},
            "config": {"follow_links": True, "max_pages": 1_000_000, "respect_robots": False, **config},
        }
        answer = self.http.post(f"{self.base}/jobs", json=order, timeout=30)
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        while job["status"] not in TERMINAL:
            job = self._get(f"/jobs/{job['id']}?wait=30")
        seconds, figures = time.monotonic() - began, measured()
        rows: Counter[str] = Counter()
        cursor = ""
        while cursor is not None:
            page = self._get(f"/results/{job['id']}?limit=1000{cursor and f'&cursor={cursor}'}")
            rows.update(row["url"] for row in page["results"])
            cursor = page.get("next")
        time.sleep(1.5)  # nginx writes its log each second
        with log.open() as lines:
            lines.seek(before)
            return Crawl(job, seconds, rows, *_asked(lines), figures)

    def expected(self) -> Counter[str]:
        """The URLs of all pages, each once."""
        return Counter(f"http://{name}/{number}.html" for name in self.names for number in range(self.pages))

    def system(self) -> dict[str, Any]:
        """`GET /monitoring/system`."""
        found: dict[str, Any] = self._get("/monitoring/system")
        return found

    def _get(self, path: str) -> Any:
        """An answer; who is told to come again does so for two minutes."""
        end = time.monotonic() + 120
        while (
            answer := self.http.get(f"{self.base}{path}", timeout=90)
        ).status_code == 503 and time.monotonic() < end:
            time.sleep(min(5.0, float(answer.headers["Retry-After"])))
        answer.raise_for_status()
        return answer.json()

    def _sign_in(self) -> None:
        answer = self.http.post(
            f"{self.base}/auth/login", data={"username": "admin", "password": PASSWORD}, timeout=30
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _start_site(self) -> None:
        pages = self.folder / "pages"
        pages.mkdir()
        for number in range(self.pages):
            children = [child for child in range(10 * number + 1, 10 * number + 11) if child < self.pages]
            links = "".join(f'<li><a href="{child}.html">Page {child}</a></li>' for child in children)
            (pages / f"{number}.html").write_text(
                f"<!doctype html><title>{number}</title><h1>Page {number}</h1><ul>{links}</ul>"
            )
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder))
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
        self._run("site", [nginx, "-c", str(config), "-e", "stderr"])

    def _start_redis(self, address: str) -> None:
        command = [self._redis, "--bind", address, "--protected-mode", "no", "--dir", str(self.folder)]
        self._run("redis", [*command, "--save", "", "--appendonly", "yes"])

    def _start_mongo(self, address: str) -> None:
        data = self.folder / "mongo"
        data.mkdir()
        options = ["--replSet", "cluster", "--bind_ip", address, "--dbpath", str(data), "--nounixsocket"]
        log = [
            "--logpath",
            str(self.folder / "mongo.log"),
            "--wiredTigerCacheSizeGB",
            "1",
            "--oplogSize",
            "512",
        ]
        self._run("mongo", [mongod() or "mongod", *options, *log])
        url = f"mongodb://{address}:27017/?directConnection=true&serverSelectionTimeoutMS=60000"
        with MongoClient[dict[str, Any]](url) as client:
            member = {"_id": 0, "host": f"{address}:27017"}
            self._until(
                lambda: client.admin.command("replSetInitiate", {"_id": "cluster", "members": [member]})
            )
            self._until(lambda: client.admin.command("hello")["isWritablePrimary"])

    def _scrapemaster(self, host: str, *arguments: str) -> None:
        folder = self.folder / f"data-{host}"
        command = [sys.executable, "-m", "scrapemaster", *arguments, "--data-dir", str(folder)]
        self._run(host, command, self._environment)

    def _run(self, host: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        process = subprocess.Popen(
            self.network.command(host, command), env=environment, stdout=subprocess.DEVNULL
        )
        self._made.enter_context(_ended(process))

    def _until(self, done: Any, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(requests.RequestException, PyMongoError):
                if done():
                    return
            time.sleep(0.1)
        raise RuntimeError(f"a part of the cluster was not ready after {seconds} s")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _asked(lines: Any) -> tuple[Counter[str], dict[str, list[float]]]:
    """How often each URL was asked for, and the seconds between the arrivals of requests to one host."""
    asked: Counter[str] = Counter()
    arrivals: dict[str, list[float]] = {}
    for line in lines:
        host, ended, took, path = line.split()
        asked[f"http://{host}{path}"] += 1
        arrivals.setdefault(host, []).append(float(ended) - float(took))
    gaps = {
        host: [later - earlier for earlier, later in pairwise(sorted(times))]
        for host, times in arrivals.items()
    }
    return asked, gaps


class Load:
    """What each part of a cluster uses of the processors, between two looks: seconds of work a second, by part."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._began = time.monotonic()
        self._before = self._seconds()

    def cores(self) -> dict[str, float]:
        """Cores in use by each part since this was made; `the machine` is all that runs on it."""
        spent = time.monotonic() - self._began
        now = self._seconds()
        return {part: (seconds - self._before.get(part, 0.0)) / spent for part, seconds in now.items()}

    def _seconds(self) -> dict[str, float]:
        parts = {
            part: sum(_cpu_seconds(pid) for pid in self._cluster.network.processes(host))
            for part, host in self._cluster.parts().items()
        }
        workers = [part for part in parts if part.startswith("worker")]
        together = {"workers": sum(parts.pop(part) for part in workers)}
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / _TICKS
        return {"the machine": busy, **together, **parts}


def _cpu_seconds(pid: int) -> float:
    """Seconds that a process has worked; 0 when it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def bound_by(cores: dict[str, float], workers: int, there: int) -> str:
    """What keeps a crawl from being faster, from the cores in use: the machine's, or a part that does one thing at a time."""
    if cores["the machine"] > 0.9 * there:
        most = max((part for part in cores if part != "the machine"), key=lambda part: cores[part])
        return f"the machine's {there} cores ({most} take most)"
    if cores["workers"] > 0.9 * workers:
        return "the workers, a core each"
    for part in ("mongo", "site", "redis", "api"):
        if cores.get(part, 0.0) > 0.9:
            return f"{part}, a core"
    return "waiting: commits, the wire"


def main() -> None:
    """Measure with more and more workers, and print the table of docs/performance.md."""
    if not available():
        raise SystemExit("network namespaces are needed: run as root, with the program ip (iproute2)")
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    there = os.cpu_count() or 1
    print(f"{HOSTS * pages:,} pages of {HOSTS} hosts, {there} cores, load before {os.getloadavg()[0]:.1f}\n")
    print(
        "| workers | pages | s | pages/s | × one worker | cores: workers | mongod | Redis | API | site | bound by |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    first = 0.0
    with Cluster(pages) as cluster:
        for workers in range(1, most + 1):
            cluster.add_worker()
            # A cold worker, and a cold Redis, cost seconds that are no crawling.
            cluster.crawl(concurrency=64, max_pages=10 * HOSTS)
            load = Load(cluster)
            crawl = cluster.crawl(concurrency=64, measured=load.cores)
            if crawl.job["status"] != "completed" or crawl.rows != cluster.expected():
                raise SystemExit(f"with {workers} workers not every row came once: {crawl.job}")
            if crawl.asked != cluster.expected():
                raise SystemExit(f"with {workers} workers not every page was asked for once: {crawl.job}")
            rate = crawl.rows.total() / crawl.seconds
            first = first or rate
            cores = crawl.measured
            parts = " | ".join(f"{cores[part]:.2f}" for part in ("workers", "mongo", "redis", "api", "site"))
            print(
                f"| {workers} | {crawl.rows.total():,} | {crawl.seconds:.1f} | {rate:,.0f} | {rate / first:.2f} | {parts} | "
                f"{bound_by(cores, workers, there)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
