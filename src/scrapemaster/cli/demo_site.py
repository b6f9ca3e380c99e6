"""`scrapemaster demo-site`."""

from __future__ import annotations

from typing import Annotated

import typer

from scrapemaster.demo.server import serve_shop


def demo_site_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Serve the demo shop: a small site to try scraping on."""
    typer.echo(f"The demo shop is at http://{host}:{port}/ (Ctrl-C ends it)")
    serve_shop(host, port)
