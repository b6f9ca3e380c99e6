"""Exports of a large job from a real service, in bounded memory: `python -m benchmarks.export [--rows N]`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import forget_peak, peak, rss
from benchmarks.rows import job_with_rows
from benchmarks.service import Service

ROWS = 1_000_000
#: The promise, in MB: the service's memory grows by less, whatever the format and the number of rows.
BOUND = 60.0
FORMATS = ("jsonl", "json", "csv", "parquet", "xlsx")


@dataclass(frozen=True)
class Measured:
    """One download. `growth` is the service's peak memory over what it had before, in MB."""

    format: str
    rows: int
    megabytes: float
    seconds: float
    growth: float
    encoding: str


def download(service: Service, job: str, rows: int, format_: str, encoding: str = "identity") -> Measured:
    """Download an export and look at the service's memory."""
    forget_peak(service.pid)
    before, began, size = rss(service.pid), time.monotonic(), 0
    with service.http.get(
        f"{service.base}/results/{job}/export",
        params={"format": format_},
        headers={"Accept-Encoding": encoding},
        stream=True,
        timeout=900,
    ) as answer:
        answer.raise_for_status()
        for chunk in answer.raw.stream(1 << 18, decode_content=False):
            size += len(chunk)
    seconds = time.monotonic() - began
    return Measured(format_, rows, size / 1e6, seconds, peak(service.pid) - before, encoding)


def table(figures: list[Measured]) -> str:
    """The figures as Markdown."""
    lines = ["| format | rows/s | seconds | MB sent | memory growth, MB |", "|---|---:|---:|---:|---:|"]
    for one in figures:
        name = one.format if one.encoding == "identity" else f"{one.format}, {one.encoding}"
        lines.append(
            f"| {name} | {one.rows / one.seconds:,.0f} | {one.seconds:.1f} | {one.megabytes:,.0f} | {one.growth:.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure every format, each on a service of its own, so that none profits from memory another left behind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    options = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        job = asyncio.run(job_with_rows(Path(folder), options.rows))
        print(f"{options.rows:,} rows stored in {time.monotonic() - began:.0f} s", flush=True)
        for name in options.formats:
            for encoding in ("identity", "gzip") if name in {"jsonl", "csv"} else ("identity",):
                with Service(Path(folder)) as service:
                    figures.append(download(service, job, options.rows, name, encoding))
                print(f"  {figures[-1]}", flush=True)
    print(f"\n{table(figures)}")
    return int(any(one.growth > BOUND for one in figures))


if __name__ == "__main__":
    raise SystemExit(main())
