"""What a good engineer writes by hand for one site: wreq and lexbor in a loop, everything in memory, nothing asked of robots.txt."""

from __future__ import annotations

import asyncio

import uvloop
import wreq

from benchmarks.peers.lexbor_page import Pages
from benchmarks.peers.order import Order


async def crawl(order: Order) -> Pages:
    """Fetch every page that is reachable."""
    client = wreq.Client(no_proxy=True)
    queue: asyncio.Queue[str] = asyncio.Queue()
    pages = Pages(order)
    for url in order.urls:
        queue.put_nowait(url)

    async def lane() -> None:
        while True:
            url = await queue.get()
            response = await client.get(url)
            body = await response.bytes()
            kind = response.headers.get("content-type") or b""
            if kind[:9] == b"text/html" and response.status.is_success():
                for link in pages.read(url, bytes(body)):
                    queue.put_nowait(link)
            queue.task_done()

    lanes = [asyncio.create_task(lane()) for _ in range(order.concurrency)]
    await queue.join()
    for task in lanes:
        task.cancel()
    return pages


def main() -> None:
    """Crawl and print the figures."""
    order = Order.read()
    pages = uvloop.run(crawl(order))
    order.report(pages.pages, pages.rows)


if __name__ == "__main__":
    main()
