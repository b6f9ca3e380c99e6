"""FastAPI with nothing behind it: `python -m benchmarks.bare_api PORT FOLDER` answers with the bodies in the folder, by their names.

`/data/{name}` returns the parsed JSON and lets FastAPI make the body of it, as a route commonly does; `/ready/{name}` returns the bytes, which no
service can that has to look for them first. Both take GET and POST.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Response


def app(folder: Path) -> FastAPI:
    """The application."""
    made = FastAPI()

    def data(body: Any) -> Callable[[], Any]:
        async def route() -> Any:
            return body

        return route

    def ready(body: bytes) -> Callable[[], Any]:
        async def route() -> Response:
            return Response(body, media_type="application/json")

        return route

    for file in folder.iterdir():
        body = file.read_bytes()
        made.add_api_route(f"/data/{file.name}", data(orjson.loads(body)), methods=["GET", "POST"])
        made.add_api_route(f"/ready/{file.name}", ready(body), methods=["GET", "POST"])
    return made


if __name__ == "__main__":
    uvicorn.run(
        app(Path(sys.argv[2])),
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
