"""What stands for a spider's run in its job's frontier."""

from __future__ import annotations

from hashlib import blake2b

from scrapemaster.domain.request import FINGERPRINT_BYTES, NewRequest
from scrapemaster.domain.spider import SpiderOrder

#: Who holds the lease on it runs the spider.
ROOT = blake2b(b"spider", digest_size=FINGERPRINT_BYTES).digest()


def root_of(order: SpiderOrder) -> NewRequest:
    """The first request of a job of a spider, which stands for the run itself. It goes before all others."""
    return NewRequest(ROOT, order.url, priority=1)
