"""What was measured, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.plot import Plot

#: Where the report goes.
OUT = Path(__file__).parent / "out"


@dataclass(frozen=True)
class Table:
    """Columns and rows, as they are shown. The first column is text, the others are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As GitHub shows it."""
        rule = ["---", *("---:" for _ in self.columns[1:])]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.columns, rule, *self.rows))


@dataclass(frozen=True)
class Target:
    """What the project wants to hold. `value` is what came; None: nothing, as what it needs was missing."""

    what: str
    value: float | None
    bound: float
    most: bool = False

    @property
    def met(self) -> bool | None:
        """None where nothing can be said."""
        if self.value is None:
            return None
        return self.value <= self.bound if self.most else self.value >= self.bound

    def row(self) -> list[str]:
        """A row of the table of targets."""
        word = {None: "not measured", True: "met", False: "**not met**"}[self.met]
        came = "–" if self.value is None else f"{self.value:,.2f}"
        return [self.what, f"{'≤' if self.most else '≥'} {self.bound:g}", came, word]


@dataclass(frozen=True)
class Section:
    """One workload's part of the report. `data` is all of it for programs; `broken`: a promise of the program was not kept."""

    title: str
    text: str
    tables: Sequence[Table] = ()
    targets: Sequence[Target] = ()
    plots: Sequence[Plot] = ()
    data: Any = None
    broken: bool = False

    def markdown(self) -> str:
        """The section, with its plots beside it."""
        parts = [f"## {self.title}", self.text, *(table.markdown() for table in self.tables)]
        if self.broken:
            parts.append("**A promise was broken in this run.**")
        parts += [f"![{plot.title}]({plot.file})" for plot in self.plots]
        return "\n\n".join(part for part in parts if part)


@dataclass
class Report:
    """All sections of a run, and how it was made."""

    how: str
    sections: list[Section] = field(default_factory=list)

    def markdown(self) -> str:
        """All of it, the targets first."""
        targets = [target.row() for section in self.sections for target in section.targets]
        head = ["# Benchmarks", f"{_machine()} {self.how}"]
        if targets:
            head += ["## Targets", Table(("target", "wanted", "came", ""), targets).markdown()]
        return "\n\n".join([*head, *(section.markdown() for section in self.sections)]) + "\n"

    def write(self, folder: Path = OUT) -> None:
        """Write report.md, report.json and the plots."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text(self.markdown())
        data = {
            "how": self.how,
            "machine": _machine(),
            "sections": [
                {
                    "title": section.title,
                    "data": section.data,
                    "broken": section.broken,
                    "targets": [{**asdict(target), "met": target.met} for target in section.targets],
                    "tables": [asdict(table) for table in section.tables],
                }
                for section in self.sections
            ],
        }
        (folder / "report.json").write_text(json.dumps(data, indent=2))
        for section in self.sections:
            for plot in section.plots:
                (folder / plot.file).write_text(plot.svg())


def _machine() -> str:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    load = os.getloadavg()[0]
    return (
        f"CPython {platform.python_version()}, {os.cpu_count()} cores ({cpu}), Linux {platform.release()}; "
        f"load of the machine when this was written: {load:.1f}."
    )
