"""The commands, and how their errors reach a person."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scrapemaster import __version__
from scrapemaster.cli import demo_site, fleet, migrate, proxy, scrape, serve, user
from scrapemaster.domain.errors import ScrapeMasterError

app = typer.Typer(
    name="scrapemaster",
    help="Scraping service for your own machines: POST a URL and selectors, get rows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("serve")(serve.serve_command)
app.command("api")(fleet.api_command)
app.command("worker")(fleet.worker_command)
app.command("all")(fleet.all_command)
app.command("scrape")(scrape.scrape_command)
app.command("demo-site")(demo_site.demo_site_command)
app.command("migrate")(migrate.migrate_command)
app.add_typer(user.app, name="user")
app.add_typer(proxy.app, name="proxy")


def _show_version(wanted: bool) -> None:  # noqa: FBT001 -- typer's callbacks are called so
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and end."),
    ] = False,
) -> None:
    """Scraping service for your own machines: POST a URL and selectors, get rows."""


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run a command; what went wrong is said in a sentence, with exit code 2."""
    try:
        app()
    except ScrapeMasterError as error:
        typer.secho(f"scrapemaster: {error}", fg=typer.colors.RED, err=True)
        sys.exit(2)
