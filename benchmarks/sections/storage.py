"""What the stores cost: a whole crawl over each, and exports of many rows."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.documents import POSTGRESQL, served
from benchmarks.export import BOUND, FORMATS, download
from benchmarks.mongo_server import program
from benchmarks.options import Options
from benchmarks.race import SERVER_CORE
from benchmarks.report import Section, Table, Target
from benchmarks.rows import job_with_rows
from benchmarks.service import Service
from benchmarks.stores import measure


def stores(options: Options) -> Section:
    """The small manual over SQLite and over MongoDB."""
    title = "The stores beside each other"
    if program() is None:
        return Section(
            title, "Not measured: there is no mongod on PATH, nor among the development dependencies."
        )
    with served(POSTGRESQL, options.copies or options.size(1, 8), SERVER_CORE) as site:
        runs = measure(site, options.repeats)
    rates = {name: statistics.median(run.rate for run in some) for name, some in runs.items()}
    rows = [
        [
            name,
            f"{rates[name]:,.0f}",
            f"{rates[name] / rates['SQLite']:.2f}",
            f"{statistics.median(1e3 * run.cpu / run.pages for run in some):.2f}",
            f"{max(run.memory for run in some):,.0f}",
        ]
        for name, some in runs.items()
    ]
    return Section(
        title,
        "A whole crawl of the manual, rows durable in both. mongod runs on the site's core, as on a machine of its own, and its own processor time and "
        "memory are not in the figures.",
        [
            Table(
                (
                    "store",
                    "pages/s, median",
                    "× SQLite",
                    "CPU of the service, ms a page",
                    "its peak memory, MB",
                ),
                rows,
            )
        ],
        [Target("MongoDB store: × SQLite's speed", rates["MongoDB"] / rates["SQLite"], 0.7)],
        data={name: [asdict(run) for run in some] for name, some in runs.items()},
    )


def exports(options: Options) -> Section:
    """All rows of a large job, in each format."""
    rows = options.size(20_000, 1_000_000)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = asyncio.run(job_with_rows(folder, rows))
        for format_ in FORMATS:
            # A service for each, so that none profits from memory that another left behind.
            with Service(folder) as service:
                figures.append(download(service, job, rows, format_))
            print(f"  {figures[-1]}", flush=True)
    return Section(
        f"Exports of {rows:,} rows",
        "Rows of some 500 bytes, downloaded over loopback; growth is the service's peak memory over what it had before.",
        [
            Table(
                ("format", "rows/s", "MB sent", "memory growth, MB"),
                [
                    [
                        one.format,
                        f"{one.rows / one.seconds:,.0f}",
                        f"{one.megabytes:,.0f}",
                        f"{one.growth:.1f}",
                    ]
                    for one in figures
                ],
            )
        ],
        [
            Target(
                "exports: memory growth at the most, MB",
                max(one.growth for one in figures),
                BOUND,
                most=True,
            )
        ],
        data=[asdict(one) for one in figures],
    )
