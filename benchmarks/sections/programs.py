"""Measurements that are programs of their own, each of which prints a table: their part of the report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.options import Options
from benchmarks.report import Section


@dataclass(frozen=True)
class Program:
    """A module with a `main` of its own; `quick` and `full` are its arguments."""

    title: str
    module: str
    quick: Sequence[str] = ()
    full: Sequence[str] = ()

    def __call__(self, options: Options) -> Section:
        """Run it; what it printed is the section. An exit code other than 0 means that it broke a promise."""
        arguments = self.quick if options.quick else self.full
        done = subprocess.run(
            [sys.executable, "-m", self.module, *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        shown = " ".join(["python -m", self.module, *arguments])
        return Section(
            self.title,
            f"`{shown}`\n\n{done.stdout.strip()}",
            data={"command": shown, "code": done.returncode},
            broken=done.returncode != 0,
        )


PROGRAMS: dict[str, Callable[[Options], Section]] = {
    "frontier": Program("The store as a frontier grows", "benchmarks.frontier", quick=("10000",), full=()),
    "frontier-mongo": Program(
        "The same over MongoDB",
        "benchmarks.frontier",
        quick=("--store", "mongo", "10000"),
        full=("--store", "mongo", "10000", "100000"),
    ),
    "browser": Program(
        "The browser engine beside bare Playwright",
        "benchmarks.browser",
        quick=("--pages", "8", "--repeats", "1"),
    ),
    "polling": Program(
        "A thousand clients polling for a minute, beside a crawl",
        "benchmarks.polling",
        quick=("--clients", "100", "--seconds", "6"),
    ),
}
