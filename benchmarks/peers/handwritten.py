"""What a good engineer writes by hand for one site: wreq and lexbor in a loop, everything in memory."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urldefrag, urljoin, urlsplit

import uvloop
import wreq
from selectolax.lexbor import LexborHTMLParser

CONCURRENCY = 32


async def crawl(start: str) -> list[dict[str, str | None]]:
    """Fetch every page reachable on the start URL's host."""
    host = urlsplit(start).netloc
    client = wreq.Client(no_proxy=True)
    queue: asyncio.Queue[str] = asyncio.Queue()
    known = {start}
    rows: list[dict[str, str | None]] = []
    queue.put_nowait(start)

    async def lane() -> None:
        while True:
            url = await queue.get()
            response = await client.get(url)
            body = await response.bytes()
            if (response.headers.get("content-type") or b"")[
                :9
            ] == b"text/html" and response.status.is_success():
                tree = LexborHTMLParser(bytes(body))
                title, heading = tree.css_first("title"), tree.css_first("h2")
                rows.append(
                    {"title": title.text() if title else None, "h2": heading.text() if heading else None}
                )
                for href in {node.attributes.get("href") or "" for node in tree.css("a")}:
                    link = urldefrag(urljoin(url, href)).url
                    if link not in known and urlsplit(link).netloc == host:
                        known.add(link)
                        queue.put_nowait(link)
            queue.task_done()

    lanes = [asyncio.create_task(lane()) for _ in range(CONCURRENCY)]
    await queue.join()
    for task in lanes:
        task.cancel()
    return rows


def main() -> None:
    """Crawl the URL given and print the figures."""
    started = time.perf_counter()
    rows = uvloop.run(crawl(sys.argv[1]))
    seconds = time.perf_counter() - started
    print(
        json.dumps({"pages": len(rows), "titles": sum(1 for row in rows if row["title"]), "seconds": seconds})
    )


if __name__ == "__main__":
    main()
