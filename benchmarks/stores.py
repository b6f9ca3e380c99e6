"""One site, crawled by the whole service over each store, in turns."""

from __future__ import annotations

from uuid import uuid4

from benchmarks.mongo_server import MongoServer, program
from benchmarks.race import SERVER_CORE, Run, ours
from benchmarks.website import Site


def measure(site: Site, repeats: int) -> dict[str, list[Run]]:
    """The runs over SQLite and over MongoDB, both on the disk; every run is checked to be whole."""
    path = program()
    if path is None:
        raise SystemExit("there is no mongod on PATH, nor among the development dependencies")
    runs: dict[str, list[Run]] = {"SQLite": [], "MongoDB": []}
    with MongoServer(path, in_memory=False, core=SERVER_CORE) as server:
        for _ in range(repeats):
            for name, some in runs.items():
                settings = {"SCRAPEMASTER_MONGODB_URL": server.url(f"crawl-{uuid4().hex}")}
                some.append(ours(site, **(settings if name == "MongoDB" else {})))
                print(f"  {name}: {some[-1].rate:,.0f} pages/s", flush=True)
    return runs
