"""`scrapemaster migrate`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.settings import load_settings

_SQLITE = "sqlite://"
#: The database in a data folder.
_FILE = "scrapemaster.db"


def migrate_command(
    source: Annotated[
        str,
        typer.Option(
            "--from", help="What is moved: sqlite:// and the path of a data folder, or of the database in it."
        ),
    ],
    target: Annotated[
        str, typer.Option("--to", help="Where it goes: the connection string of an empty MongoDB database.")
    ],
) -> None:
    """Move everything from an embedded service's file to MongoDB, and compare both.

    The service must be stopped. What is moved stays where it was. Broken off, it goes on where it was when it is run again.
    """
    from scrapemaster.stores import move_to_mongodb  # noqa: PLC0415 -- takes a while, which other commands need not wait

    settings = load_settings(data_dir=_folder_of(source), mongodb_url=target)
    asyncio.run(move_to_mongodb(settings, typer.echo))
    typer.echo(
        "Everything was moved. Start the service with SCRAPEMASTER_MONGODB_URL set, on the same data folder."
    )


def _folder_of(source: str) -> Path:
    path = Path(source.removeprefix(_SQLITE))
    if not source.startswith(_SQLITE) or not path.name:
        raise InvalidInput(
            "--from: give sqlite:// and the path of the data folder, as in sqlite:///var/lib/scrapemaster"
        )
    folder = path if path.is_dir() else path.parent
    if not (folder / _FILE).is_file() or path not in {folder, folder / _FILE}:
        raise InvalidInput(f"--from: there is no ScrapeMaster database at {path}")
    return folder
