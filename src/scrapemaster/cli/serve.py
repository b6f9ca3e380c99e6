"""`scrapemaster serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scrapemaster.logs import set_up_logs
from scrapemaster.settings import load_settings


def serve_command(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [SCRAPEMASTER_HOST, 127.0.0.1].")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [SCRAPEMASTER_PORT, 8000].")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the database [SCRAPEMASTER_DATA_DIR, ./scrapemaster-data].")
    ] = None,
) -> None:
    """Start the service: the API and a crawler, with nothing beside it."""
    from scrapemaster.server import serve  # noqa: PLC0415 -- takes a second, which other commands need not wait

    settings = load_settings(host=host, port=port, data_dir=data_dir)
    set_up_logs(settings)
    serve(settings)
