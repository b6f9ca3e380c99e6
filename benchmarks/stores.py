"""One manual, many times over, crawled by the whole service over each store: `python -m benchmarks.stores [runs]`."""

from __future__ import annotations

import statistics
import sys
from uuid import uuid4

from benchmarks.crawl import manuals, ours
from benchmarks.mongo_server import MongoServer, program


def measure(repeats: int) -> dict[str, list[float]]:
    """Pages a second of each run, in turns, over SQLite and over MongoDB, both on the disk."""
    path = program()
    if path is None:
        raise SystemExit("there is no mongod on PATH, nor among the development dependencies")
    rates: dict[str, list[float]] = {"SQLite": [], "MongoDB": []}
    with manuals() as (url, pages), MongoServer(path, in_memory=False) as server:
        for _ in range(repeats):
            for name, runs in rates.items():
                settings = {"SCRAPEMASTER_MONGODB_URL": server.url(f"crawl-{uuid4().hex}")}
                got, seconds = ours(url, **(settings if name == "MongoDB" else {}))
                if got != pages:
                    raise SystemExit(f"over {name} {got} of {pages} pages came")
                runs.append(got / seconds)
                print(f"  {name}: {got / seconds:,.0f} pages/s", flush=True)
    return rates


def main() -> None:
    """Measure, and print the table of docs/performance.md."""
    rates = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    base = statistics.median(rates["SQLite"])
    print("\n| store | pages/s (median) | × SQLite |\n|---|---:|---:|")
    for name, runs in rates.items():
        print(f"| {name} | {statistics.median(runs):,.0f} | {statistics.median(runs) / base:.2f} |")


if __name__ == "__main__":
    main()
