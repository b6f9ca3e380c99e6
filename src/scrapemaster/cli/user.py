"""`scrapemaster user …`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scrapemaster.domain.user import Role, User
from scrapemaster.settings import load_settings

if TYPE_CHECKING:
    from scrapemaster.account_parts import AccountsApp

app = typer.Typer(help="Manage accounts; the service may be running.", no_args_is_help=True)

#: Accounts read at once.
_PAGE = 500
Name = Annotated[str, typer.Argument(help="The user's name, in whatever case.")]
Password = Annotated[
    str,
    typer.Option(
        prompt=True,
        hide_input=True,
        confirmation_prompt=True,
        help="8 to 128 characters; asked for if not given.",
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the database.")]


@app.callback()
def _group() -> None:
    """Manage accounts; the service may be running."""


@app.command("add")
def add(
    username: Annotated[str, typer.Argument(help="3 to 64 of A-Z a-z 0-9 _ . -")],
    password: Password,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="Make it an admin.")] = False,
    email: Annotated[str | None, typer.Option(help="To reach the user.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Add an account."""
    role = Role.ADMIN if admin else Role.USER
    _run(data_dir, lambda here: here.accounts.add(username, password, role, email))
    typer.echo(f"{username} was added.")


@app.command("list")
def list_users(data_dir: DataDir = None) -> None:
    """List all accounts: name, role, whether disabled, email."""

    async def every(here: AccountsApp) -> None:
        skip, total = 0, 1
        while skip < total:
            users, total = await here.users.find(skip=skip, limit=_PAGE)
            for user in users:
                typer.echo(_line(user))
            skip += _PAGE

    _run(data_dir, every)


@app.command("disable")
def disable(username: Name, data_dir: DataDir = None) -> None:
    """Shut an account and revoke its tokens; its jobs and keys stay."""
    _run(data_dir, lambda here: _set(here, username, disabled=True))
    typer.echo(f"{username} was disabled.")


@app.command("enable")
def enable(username: Name, data_dir: DataDir = None) -> None:
    """Open an account again."""
    _run(data_dir, lambda here: _set(here, username, disabled=False))
    typer.echo(f"{username} was enabled.")


@app.command("passwd")
def passwd(username: Name, password: Password, data_dir: DataDir = None) -> None:
    """Set another password and revoke all tokens."""
    _run(data_dir, lambda here: _set(here, username, password=password))
    typer.echo(f"The password of {username} was changed.")


async def _set(
    here: AccountsApp, username: str, *, disabled: bool | None = None, password: str | None = None
) -> None:
    user = await here.users.named(username)
    fields = {} if disabled is None else {"disabled": disabled}
    await here.users.change(user.id, password=password, **fields)


def _line(user: User) -> str:
    return f"{user.username:<32} {user.role:<6} {'disabled' if user.disabled else 'enabled':<9} {user.email or ''}".rstrip()


def _run(data_dir: Path | None, work: Callable[[AccountsApp], Awaitable[object]]) -> None:
    from scrapemaster.account_parts import build_accounts  # noqa: PLC0415 -- takes a while, which other commands need not wait
    from scrapemaster.stores import open_store  # noqa: PLC0415 -- takes a while, which other commands need not wait

    settings = load_settings(data_dir=data_dir)

    async def run() -> None:
        async with open_store(settings) as store:
            await work(build_accounts(settings, store))

    asyncio.run(run())
