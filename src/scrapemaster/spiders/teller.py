"""How a spider's process tells what happens."""

from __future__ import annotations

import os
import threading

from scrapemaster.spiders.messages import Message, packed


class Teller:
    """Writes messages, whole and in turn. It waits while the crawler is behind, and the spider with it: so nothing piles up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def tell(self, message: Message) -> None:
        """Write a message."""
        data = memoryview(packed(message))
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]
