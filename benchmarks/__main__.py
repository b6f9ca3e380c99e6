"""`python -m benchmarks [--repeats N] [--copies N]`: prints a report and writes it to benchmarks/out/."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path

from benchmarks.crawl import COPIES, measure


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--copies", type=int, default=COPIES)
    options = parser.parse_args()
    print("Whole crawl of a real manual, one core for the crawler, in turns:")
    figures = measure(options.repeats, options.copies)
    scrapy = next(one for one in figures if one.name.startswith("Scrapy"))
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
        ]
    )
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    (out / "report.md").write_text(report)
    (out / "report.json").write_text(json.dumps([asdict(one) for one in figures], indent=2))
    print(f"\n{report}\n(written to {out})")


if __name__ == "__main__":
    main()
