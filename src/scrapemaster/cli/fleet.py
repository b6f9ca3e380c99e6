"""`scrapemaster api`, `scrapemaster worker`, `scrapemaster all`: the processes of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scrapemaster.logs import set_up_logs
from scrapemaster.settings import load_settings

Host = Annotated[str | None, typer.Option(help="Address to listen on [SCRAPEMASTER_HOST, 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on [SCRAPEMASTER_PORT, 8000].")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of the database [SCRAPEMASTER_DATA_DIR, ./scrapemaster-data].")
]


def api_command(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="API processes to run.")] = 1,
) -> None:
    """Start API processes of a fleet, which share one port; needs SCRAPEMASTER_REDIS_URL."""
    from scrapemaster.fleet_parent import run_fleet  # noqa: PLC0415 -- takes a second, which other commands need not wait

    settings = load_settings(host=host, port=port, data_dir=data_dir)
    set_up_logs(settings)
    run_fleet(settings, apis=processes)


def worker_command(
    data_dir: DataDir = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Worker processes to run.")] = 1,
) -> None:
    """Start workers of a fleet, which crawl; needs SCRAPEMASTER_REDIS_URL."""
    from scrapemaster.fleet_parent import run_fleet  # noqa: PLC0415 -- takes a second, which other commands need not wait

    settings = load_settings(data_dir=data_dir)
    set_up_logs(settings)
    run_fleet(settings, workers=processes)


def all_command(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    apis: Annotated[int, typer.Option(min=1, max=256, help="API processes to run.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes to run.")] = 1,
) -> None:
    """Start API processes and workers on this machine; needs SCRAPEMASTER_REDIS_URL."""
    from scrapemaster.fleet_parent import run_fleet  # noqa: PLC0415 -- takes a second, which other commands need not wait

    settings = load_settings(host=host, port=port, data_dir=data_dir)
    set_up_logs(settings)
    run_fleet(settings, apis=apis, workers=workers)
