"""What a peer is asked to crawl, and how it tells what it got: the same for all of them, so that answers can be compared.

A peer is started with the path of a JSON file: `urls` to begin with, `prefix` of the URLs that it follows, `item` (a CSS selector of the
elements that are a row each; null: the page is), `fields` (name → CSS selector of the element whose own text is taken), `rows` (the
file that rows are written to when the clock has stopped, one JSON object a line), `concurrency`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: A row: the URL of its page, and its fields.
Row = dict[str, str | None]


@dataclass(frozen=True)
class Order:
    """See the module. `began` and `cpu_before` are the clocks when it was read."""

    urls: list[str]
    prefix: str
    item: str | None
    fields: dict[str, str]
    rows: str
    concurrency: int
    began: float
    cpu_before: float

    @classmethod
    def read(cls) -> Order:
        """The order named on the command line; the clock runs from here on."""
        asked = json.loads(Path(sys.argv[1]).read_text())
        return cls(**asked, began=time.perf_counter(), cpu_before=time.process_time())

    def report(self, pages: int, rows: Sequence[Row]) -> None:
        """Stop the clock, print the figures, write the rows."""
        seconds, cpu = time.perf_counter() - self.began, time.process_time() - self.cpu_before
        first = next(iter(self.fields))
        titles = sum(1 for row in rows if row[first])
        with Path(self.rows).open("w") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        print(
            json.dumps({"pages": pages, "rows": len(rows), "titles": titles, "seconds": seconds, "cpu": cpu})
        )
