"""`python -m benchmarks [--quick] [--only manual,tree,…] [--repeats N]`: measures, prints a report and writes it to benchmarks/out/.

The peers that need an environment of their own are installed by `python -m benchmarks.environment`, which `make bench` does first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.environment import missing
from benchmarks.options import Options
from benchmarks.report import Report, Section
from benchmarks.sections.api import api
from benchmarks.sections.cores import cores
from benchmarks.sections.cost import cost
from benchmarks.sections.fairness import fairness
from benchmarks.sections.growth import growth
from benchmarks.sections.programs import PROGRAMS
from benchmarks.sections.races import hosts, items, large, latency, manual
from benchmarks.sections.storage import exports, stores

#: What can be measured, in the order of the report.
SECTIONS: dict[str, Callable[[Options], Section]] = {
    "manual": manual,
    "large": large,
    "tree": growth,
    "hosts": hosts,
    "catalogue": items,
    "latency": latency,
    "cores": cores,
    "fairness": fairness,
    "api": api,
    "export": exports,
    "stores": stores,
    "cost": cost,
    **PROGRAMS,
}


def measure(names: list[str], options: Options) -> Report:
    """Measure the sections; the report is written anew after each, so that what there is outlives what fails."""
    lacking = missing()
    how = f"{'A quick run, whose figures say little; ' if options.quick else ''}medians of {options.repeats} runs where nothing else is said."
    if lacking:
        how += f" Missing on this machine: {', '.join(lacking)} (Debian: {' '.join(sorted(set(lacking.values())))})."
        print(how, flush=True)
    report = Report(how)
    for name in names:
        print(f"\n{name} …", flush=True)
        began = time.monotonic()
        try:
            section = SECTIONS[name](options)
        except SystemExit as error:
            section = Section(name, f"**It failed: {error}**", broken=True)
        report.sections.append(section)
        report.write()
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return report


def main() -> int:
    """Measure and report; 1 when a section failed or broke its own promise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="everything, small, once")
    parser.add_argument("--repeats", type=int, help="runs of each crawler (3; quick: 1)")
    parser.add_argument("--copies", type=int, help="how often the small manual is served")
    parser.add_argument("--only", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--leave-out", default="", help="some of the same")
    given = parser.parse_args()
    asked = given.only.split(",") if given.only else list(SECTIONS)
    names = [name for name in asked if name not in given.leave_out.split(",")]
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    options = Options(given.quick, given.repeats or (1 if given.quick else 3), given.copies)
    report = measure(names, options)
    print(f"\n{report.markdown()}")
    return int(any(section.broken for section in report.sections))


if __name__ == "__main__":
    sys.exit(main())
