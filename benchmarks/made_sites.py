"""Sites that nginx makes by itself, from its configuration alone: a decimal tree of any size, and a thousand hosts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from benchmarks.manual_server import nginx
from benchmarks.website import Site, Tally

_TYPE = 'default_type "text/html; charset=utf-8";'


def _page(title: str, links: list[tuple[str, str]]) -> str:
    """A page as nginx's `return` takes it; variables in it are nginx's."""
    listed = "".join(f"<li><a href='{href}'>{text}</a></li>" for href, text in links)
    return (
        f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1>"
        f"<h2>Below</h2><ul>{listed}</ul><p><a href='/t/'>Home</a></p></body></html>"
    )


@contextmanager
def _empty() -> Iterator[Path]:
    """A folder with nothing in it, that nginx's worker can look into: it has given up root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def decimal_tree(digits: int, core: int | None = None) -> Iterator[Site]:
    """Pages `/t/`, `/t/0` … `/t/9`, `/t/00` … down to so many digits; each links to the ten that have one digit more.

    Four digits are 11,111 pages, five 111,111, six 1,111,111.
    """
    root_page = _page("Page ", [(f"/t/{n}", f"Page {n}") for n in range(10)])
    inner = _page("Page ${n}", [(f"/t/${{n}}{n}", f"Page ${{n}}{n}") for n in range(10)])
    leaf = _page("Page ${n}", [])
    locations = (
        f'location = /t/ {{ {_TYPE} return 200 "{root_page}"; }}\n'
        f'location ~ "^/t/(?<n>[0-9]{{1,{digits - 1}}})$" {{ {_TYPE} return 200 "{inner}"; }}\n'
        f'location ~ "^/t/(?<n>[0-9]{{{digits}}})$" {{ {_TYPE} return 200 "{leaf}"; }}\n'
    )
    with _empty() as folder, nginx(folder, core, locations=locations) as base:

        def rows() -> Iterator[tuple[str, str]]:
            for length in range(digits + 1):
                for number in product("0123456789", repeat=length):
                    name = "".join(number)
                    yield f"{base}/t/{name}", f"Page {name}"

        tally = Tally.of(rows())
        yield Site(
            f"decimal tree of {tally.rows:,} pages",
            [f"{base}/t/"],
            f"{base}/",
            tally.rows,
            (len(inner) + 9.0 * len(leaf)) / 10,
            tally,
            [f"/t/{n:0{digits}}" for n in range(500)],
        )


@contextmanager
def many_hosts(hosts: int, pages: int, core: int | None = None) -> Iterator[Site]:
    """So many addresses of loopback, each a site of so many pages: `/h/`, which links to all others of its host, and these."""
    addresses = [f"127.7.{number // 250}.{number % 250 + 1}" for number in range(hosts)]
    first = _page("Page 0 of $server_addr", [(f"/h/{n}", f"Page {n}") for n in range(1, pages)])
    other = _page("Page ${n} of $server_addr", []).replace("/t/", "/h/")
    locations = (
        f'location = /h/ {{ {_TYPE} return 200 "{first.replace("/t/", "/h/")}"; }}\n'
        f'location ~ "^/h/(?<n>[0-9]+)$" {{ {_TYPE} return 200 "{other}"; }}\n'
    )
    with (
        _empty() as folder,
        nginx(folder, core, locations=locations, addresses=addresses) as base,
    ):
        port = base.rpartition(":")[2]
        rows = (
            (f"http://{address}:{port}/h/{n or ''}", f"Page {n} of {address}")
            for address in addresses
            for n in range(pages)
        )
        tally = Tally.of(rows)
        yield Site(
            f"{hosts:,} hosts of {pages} pages",
            [f"http://{address}:{port}/h/" for address in addresses],
            "http://127.7.",
            tally.rows,
            float(len(other)),
            tally,
            [f"/h/{n}" for n in range(1, pages)],
        )
