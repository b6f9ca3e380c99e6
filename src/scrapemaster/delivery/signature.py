"""Signatures of the Standard Webhooks specification, version 1.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from scrapemaster.domain.webhook import secret_key


def signed_headers(message_id: str, body: bytes, secrets: Sequence[str], *, now: float) -> dict[str, str]:
    """The three headers by which a receiver knows a message for ours; one signature for each secret, in their order.

    `now` is epoch seconds. Raises `InvalidInput` for a secret that is none.
    """
    timestamp = str(int(now))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = [f"v1,{_signature(secret, signed)}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(secret_key(secret), signed, hashlib.sha256)).decode()
