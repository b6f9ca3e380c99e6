"""`scrapemaster proxy …`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import masked
from scrapemaster.settings import load_settings

if TYPE_CHECKING:
    from scrapemaster.services.proxies import PooledProxy, ProxyService

app = typer.Typer(help="Manage the proxy pool; the service may be running.", no_args_is_help=True)

T = TypeVar("T")

#: Proxies read at once.
_PAGE = 1_000
DataDir = Annotated[Path | None, typer.Option(help="Folder of the database.")]
Id = Annotated[str, typer.Argument(help="The proxy's id, as `list` shows it.")]


@app.callback()
def _group() -> None:
    """Manage the proxy pool; the service may be running."""


@app.command("add")
def add(
    urls: Annotated[
        list[str] | None,
        typer.Argument(
            help="http, https or socks5 URLs with a port; without any, one a line on standard input."
        ),
    ] = None,
    *,
    tier: Annotated[int, typer.Option(min=0, max=100, help="Proxies of a lower tier are used first.")] = 0,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag that jobs may ask for. Repeat for more.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Put proxies into the pool. On standard input credentials stay out of the shell's history."""
    given = urls or [line.strip() for line in sys.stdin if line.strip() and not line.startswith("#")]
    if not given:
        raise InvalidInput("give the URL of a proxy, or several")

    async def work(service: ProxyService) -> None:
        for pooled in await service.add(given, tier=tier, tags=tag or ()):
            typer.echo(f"{pooled.proxy.id} {masked(pooled.proxy.url)} was added.")

    _run(data_dir, work)


@app.command("list")
def list_proxies(data_dir: DataDir = None) -> None:
    """List the pool: id, state, tier, success rate, URL without credentials, tags."""

    async def work(service: ProxyService) -> None:
        skip, total = 0, 1
        while skip < total:
            pool, total = await service.find(skip=skip, limit=_PAGE)
            for pooled in pool:
                typer.echo(_line(pooled))
            skip += _PAGE

    _run(data_dir, work)


@app.command("check")
def check(proxy_id: Id, url: Annotated[str | None, typer.Option(help="A page to fetch.")] = None, data_dir: DataDir = None) -> None:  # fmt: skip
    """Speak to a proxy, or fetch a page through it. Exit code 1 when that fails."""

    async def work(service: ProxyService) -> bool:
        checked, _ = await service.check(ProxyId(proxy_id), url)
        typer.echo(f"{'ok' if checked.ok else 'failed'}: {checked.detail} ({checked.seconds:.2f} s)")
        return checked.ok

    if not _run(data_dir, work):
        raise typer.Exit(1)


@app.command("remove")
def remove(proxy_id: Id, data_dir: DataDir = None) -> None:
    """Take a proxy out of the pool."""
    _run(data_dir, lambda service: service.delete(ProxyId(proxy_id)))
    typer.echo(f"{proxy_id} was removed.")


def _line(pooled: PooledProxy) -> str:
    proxy = pooled.proxy
    state = str(pooled.state) if proxy.enabled else "disabled"
    rate = f"{pooled.standing.health.percent:5.1f} %"
    return f"{proxy.id} {state:<8} {proxy.tier:>3} {rate} {masked(proxy.url)} {' '.join(proxy.tags)}".rstrip()


def _run(data_dir: Path | None, work: Callable[[ProxyService], Awaitable[T]]) -> T:
    from scrapemaster.bootstrap import build_proxy_service  # noqa: PLC0415 -- takes a while, which other commands need not wait
    from scrapemaster.stores import open_store  # noqa: PLC0415 -- takes a while, which other commands need not wait

    settings = load_settings(data_dir=data_dir)

    async def run() -> T:
        async with open_store(settings) as store:
            return await work(build_proxy_service(settings, store))

    return asyncio.run(run())
