"""Is the API what its OpenAPI document says? Schemathesis tries, on a real service: `python -m benchmarks.conformance`.

As admin and as user, with every check and with sequences of requests. Routes are found in the document.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from benchmarks.service import Service
from scrapemaster.settings import Settings

CONFIG = Path(__file__).parent.parent / "tests" / "conformance" / "schemathesis.toml"
#: Requests that end the session they are sent with: tried by themselves.
ENDS_SESSION = r"^/api/v1/auth/(logout|password)$"
#: Longest line of a report that is shown: some requests are megabytes.
_SHOWN = 600


def quiet_service() -> Service:
    """A service that reaches nothing but loopback, without limits on how much is asked of it."""
    unlimited = {"SCRAPEMASTER_RATE_LIMIT": "off"} if "rate_limit" in Settings.model_fields else {}
    return Service(SCRAPEMASTER_LOG_LEVEL="error", **unlimited)


def token_of(service: Service, role: str) -> str:
    """A fresh token of the admin, or of a user made for it."""
    if role == "admin":
        return str(service.http.headers["Authorization"])
    credentials = {"username": f"fuzzer-{role}", "password": "correct horse battery"}
    requests.post(f"{service.base}/auth/register", json=credentials, timeout=30)
    answer = requests.post(f"{service.base}/auth/login", json=credentials, timeout=30)
    answer.raise_for_status()
    return f"Bearer {answer.json()['access_token']}"


def run(service: Service, role: str, *options: str) -> tuple[int, str]:
    """One run of Schemathesis; returns its exit code, 0 if nothing was found, and its report.

    With one worker: its threads meet a fault of CPython 3.11 (`AST constructor recursion depth mismatch`, gh-106905).
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "schemathesis.cli",
                    "--config-file",
                    str(CONFIG),
                    "--no-color",
                ),
                *("run", service.base.replace("/api/v1", "/api/openapi.json")),
                *("--header", f"Authorization: {token_of(service, role)}"),
                *(
                    "--continue-on-failure",
                    "--generation-database",
                    "none",
                    "--request-timeout",
                    "75",
                    *options,
                ),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    report = "\n".join(line[:_SHOWN] for line in (done.stdout + done.stderr).splitlines())
    return done.returncode, report


def operations(service: Service) -> int:
    """How many there are."""
    document = requests.get(service.base.replace("/api/v1", "/api/openapi.json"), timeout=30).json()
    return sum(len(verbs) for verbs in document["paths"].values())


def main() -> int:
    """A long run: so many examples, spread over all operations, for each role."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = [] if options.seed is None else ["--seed", str(options.seed)]
    worst = 0
    with quiet_service() as service:
        each = math.ceil(options.examples / operations(service))
        for role in ("admin", "user"):
            code, report = run(service, role, "--exclude-path-regex", ENDS_SESSION, "-n", str(each), *seed)
            print(f"{report}\nas {role}: exit code {code}", flush=True)
            worst = max(worst, code)
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
