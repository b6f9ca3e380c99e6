"""`scrapemaster scrape`: one crawl, no server needed."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.item import Result
from scrapemaster.domain.job import EngineName, Job, JobConfig
from scrapemaster.domain.rendering import Rendering
from scrapemaster.export.order import ExportFormat, ExportOrder
from scrapemaster.export.rows import data_of
from scrapemaster.logs import set_up_logs
from scrapemaster.settings import load_settings

if TYPE_CHECKING:
    from scrapemaster.local import Crawl
    from scrapemaster.services.jobs import JobOrder

_SHOWN_ROWS = 10
_SHOWN_COLUMNS = 8
_LONGEST_CELL = 60
_SUFFIXES = {f".{one}": one for one in ExportFormat}


class CliEngine(StrEnum):
    """Engines that can be asked for."""

    AUTO = "auto"
    HTTP = "http"
    SCRAPY = "scrapy"
    BROWSER = "browser"
    PLAYWRIGHT = "playwright"


def scrape_command(
    url: Annotated[str, typer.Argument(help="Where to start.")],
    *,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", "-s", help="A field: name=selector, such as title='h1::text'. Repeat for more."
        ),
    ] = None,
    item: Annotated[str | None, typer.Option(help="Container selector: one row for each match.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Follow links on the same site.")] = False,
    max_pages: Annotated[
        int | None, typer.Option(min=1, help="Pages at most [1, or 100 with --follow].")
    ] = None,
    max_depth: Annotated[int | None, typer.Option(min=0, help="Links to follow from the start.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Follow only URLs like this glob.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Follow no URLs like this glob.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Pages in work at once.")] = 8,
    delay: Annotated[float, typer.Option(min=0, help="Seconds between requests to a host.")] = 0.0,
    engine: Annotated[
        CliEngine,
        typer.Option(
            help="Who fetches; browser runs the pages' scripts, auto where they need it, scrapy has Scrapy around them."
        ),
    ] = CliEngine.AUTO,
    wait_for: Annotated[
        str | None,
        typer.Option(
            help="With --engine browser or auto: render every page, and wait until this selector matches."
        ),
    ] = None,
    ignore_robots: Annotated[bool, typer.Option("--ignore-robots", help="Do not obey robots.txt.")] = False,
    allow: Annotated[
        str | None,
        typer.Option(help="Networks that may be crawled although they are not public, such as 127.0.0.0/8."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for all rows: .csv, .json, .jsonl, .parquet or .xlsx."),
    ] = None,
) -> None:
    """Scrape a page or a site now. Exit code 1 when nothing was extracted."""
    from scrapemaster.services.jobs import JobOrder  # noqa: PLC0415 -- takes a while, which other commands need not wait

    if output is not None and output.suffix not in _SUFFIXES:
        raise InvalidInput(f"-o {output}: the file must end in {', '.join(_SUFFIXES)}")
    name = EngineName.BROWSER if engine is CliEngine.PLAYWRIGHT else EngineName(engine)
    if wait_for is not None and name not in {EngineName.BROWSER, EngineName.AUTO}:
        raise InvalidInput("--wait-for says nothing without --engine browser or --engine auto")
    config = JobConfig(
        max_pages=max_pages or 0,
        follow_links=follow,
        max_depth=max_depth,
        include=include or (),
        exclude=exclude or (),
        item=item,
        concurrency=concurrency,
        delay=delay,
        respect_robots=not ignore_robots,
        browser=Rendering(wait_for=wait_for),
    )
    order = JobOrder(urls=[url], config=config, selectors=_selectors(select or []), engine=name)
    set_up_logs(load_settings(log_level="error"))
    if asyncio.run(_scrape(order, output, allow)) == 0:
        raise typer.Exit(1)


def _selectors(given: list[str]) -> dict[str, str]:
    selectors = {}
    for text in given:
        name, equals, selector = text.partition("=")
        if not equals or not name.strip() or not selector.strip():
            raise InvalidInput(f"-s {text}: write it as name=selector, such as -s title='h1::text'")
        selectors[name.strip()] = selector
    return selectors


async def _scrape(order: JobOrder, output: Path | None, allow: str | None) -> int:
    """Crawl with a progress bar, write and show the rows; returns how many there are."""
    from scrapemaster.local import crawled  # noqa: PLC0415 -- takes a while, which other commands need not wait

    console = Console(stderr=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %  {task.fields[figures]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("scraping", total=100.0, figures="")

        def show(job: Job) -> None:
            progress.update(bar, completed=job.progress, figures=figures_of(job))

        async with crawled(order, show, stop, allow=allow) as crawl:
            progress.update(bar, completed=100.0, figures=figures_of(crawl.job))
            progress.stop()
            if output is not None:
                await _write(crawl, output)
            await _report(crawl, output, console)
            return crawl.job.counters.items


def figures_of(job: Job) -> str:
    """Pages, items, rate, errors and time left, in one line."""
    counters = job.counters
    eta = job.eta_seconds()
    # A job that is over has no present rate: show what it came to.
    rate = job.rate if job.finished_at is None else counters.fetched / max(job.run_seconds(0), 0.001)
    left = "" if eta is None else f" · {eta:.0f} s left"
    rendered = sum(job.choices.of("browser").values())
    pages = f"{counters.fetched} pages" + (f" ({rendered} rendered)" if rendered else "")
    return f"{pages} · {counters.items} items · {rate:.0f} pages/s · {counters.failed} errors{left}"


async def _write(crawl: Crawl, output: Path) -> None:
    from scrapemaster.export.exporter import Exporter  # noqa: PLC0415 -- takes a while, which other commands need not wait

    order = ExportOrder(_SUFFIXES[output.suffix])
    try:
        with TemporaryDirectory(prefix="scrapemaster-") as folder, output.open("wb") as file:
            exporter = Exporter(Path(folder))
            async with exporter.export(crawl.rows, order) as export:
                async for chunk in export.chunks:
                    file.write(chunk)
            exporter.close()
    except OSError as error:
        raise InvalidInput(f"-o {output}: the file cannot be written: {error.strerror}") from error


async def _report(crawl: Crawl, output: Path | None, console: Console) -> None:
    job = crawl.job
    rows: list[Result] = []
    async for batch in crawl.rows():
        rows += batch[: _SHOWN_ROWS - len(rows)]
        if len(rows) >= _SHOWN_ROWS:
            break
    if rows:
        Console().print(_table(rows, job.counters.items))
    failures = Counter(
        (page.reason, page.detail) for page in await crawl.failures(1_000) if page.state == "failed"
    )
    for (reason, detail), count in failures.most_common(5):
        console.print(f"{count} × {reason}: {detail}", style="yellow", markup=False)
    for warning in job.warnings:
        console.print(warning, style="yellow", markup=False)
    end = "" if output is None else f", written to {output}"
    reason = f" ({job.stop_reason})" if job.stop_reason else ""
    console.print(
        f"{job.status}{reason}: {job.counters.items} items from {job.counters.fetched} pages{end}",
        markup=False,
    )


def _table(rows: list[Result], total: int) -> Table:
    data = [data_of(row) for row in rows]
    names = list(dict.fromkeys(name for one in data for name in one))[:_SHOWN_COLUMNS]
    caption = f"the first {len(rows)} of {total} rows" if total > len(rows) else None
    table = Table(*names, caption=caption, show_lines=False)
    for one in data:
        table.add_row(*(_cell(one.get(name)) for name in names))
    return table


def _cell(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    text = text.replace("[", r"\[")
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
