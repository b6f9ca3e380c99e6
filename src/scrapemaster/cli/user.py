"""`scrapemaster user …`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from scrapemaster.bootstrap import build_accounts, open_store
from scrapemaster.domain.user import Role
from scrapemaster.settings import load_settings

app = typer.Typer(help="Manage accounts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Manage accounts."""


@app.command("add")
def add(
    username: Annotated[str, typer.Argument(help="3 to 64 of A-Z a-z 0-9 _ . -")],
    password: Annotated[
        str,
        typer.Option(
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            help="8 to 128 characters; asked for if not given.",
        ),
    ],
    *,
    admin: Annotated[bool, typer.Option("--admin", help="Make it an admin.")] = False,
    email: Annotated[str | None, typer.Option(help="To reach the user.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Add an account; the service may be running."""
    settings = load_settings(data_dir=data_dir)

    async def run() -> None:
        async with open_store(settings) as store:
            accounts = build_accounts(settings, store)
            await accounts.add(username, password, Role.ADMIN if admin else Role.USER, email)

    asyncio.run(run())
    typer.echo(f"{username} was added.")
