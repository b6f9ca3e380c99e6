"""`python -m benchmarks [--repeats N] [--copies N] [--crawl-only]`: prints a report and writes it to benchmarks/out/."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.crawl import COPIES, measure

#: What is measured after the crawl, each by a program of its own that prints a table.
_FURTHER = {
    "The store as a frontier grows": "benchmarks.frontier",
    "The browser engine beside bare Playwright": "benchmarks.browser",
    "A thousand clients polling for a minute, beside a crawl": "benchmarks.polling",
}


def further(title: str, module: str) -> list[str]:
    """A section of the report: what the module printed."""
    print(f"\n{title} (python -m {module}) …", flush=True)
    done = subprocess.run([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, check=False)
    promise = [] if done.returncode == 0 else ["", "**A promise was broken in this run.**"]
    return [f"## {title}: `python -m {module}`", "", done.stdout.strip(), *promise, ""]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--crawl-only", action="store_true")
    options = parser.parse_args()
    print("Whole crawl of a real manual, one core for the crawler, in turns:")
    figures = measure(options.repeats, options.copies)
    scrapy = next(one for one in figures if one.name.startswith("Scrapy"))
    around = next(one for one in figures if one.name.endswith("engine scrapy"))
    slower = around.pages_per_second < scrapy.pages_per_second
    lines = ["| crawler | pages/s (median) | × Scrapy |", "|---|---:|---:|"]
    lines += [
        f"| {one.name} | {one.pages_per_second:,.0f} | {one.pages_per_second / scrapy.pages_per_second:.1f} |"
        for one in figures
    ]
    report = "\n".join(
        [
            f"# Crawl of {figures[0].pages:,} pages (PostgreSQL 15 manual, {options.copies} copies)",
            "",
            f"Python {platform.python_version()}, medians of {options.repeats} runs.",
            "",
            *lines,
            "",
            *(
                ["**A promise was broken in this run: the scrapy engine is slower than Scrapy.**", ""]
                if slower
                else []
            ),
            *(
                line
                for title, module in ({} if options.crawl_only else _FURTHER).items()
                for line in further(title, module)
            ),
        ]
    )
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    (out / "report.md").write_text(report)
    (out / "report.json").write_text(json.dumps([asdict(one) for one in figures], indent=2))
    print(f"\n{report}\n(written to {out})")


if __name__ == "__main__":
    main()
