"""An API process of a fleet: answers on a socket that its parent listens on."""

from __future__ import annotations

import socket
import sys

import structlog
import uvloop

from scrapemaster.domain.errors import ScrapeMasterError
from scrapemaster.fleet_service_parts import fleet_service_app
from scrapemaster.logs import set_up_logs
from scrapemaster.server import answer
from scrapemaster.settings import Settings, load_settings
from scrapemaster.worker.child import stopper, told_to_stop

log = structlog.get_logger(__name__)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with told_to_stop() as stop, fleet_service_app(settings, stopper(stop)) as services:
        await answer(services, listener, stop)


def main() -> int:
    """Entry point of the process; its argument is the number of the open socket."""
    settings = load_settings()
    set_up_logs(settings)
    try:
        with socket.socket(fileno=int(sys.argv[1])) as listener:
            uvloop.run(_serve(settings, listener))
    except ScrapeMasterError as error:
        log.error("api.stopped", error=str(error))  # noqa: TRY400 -- a sentence for the operator, not a fault
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
