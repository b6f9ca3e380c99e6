"""One message over HTTP: signed, bounded in every way, to vetted addresses only."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any
from urllib.parse import urlsplit

from scrapemaster.delivery.signature import signed_headers
from scrapemaster.domain.errors import GiveUpPage, PageError
from scrapemaster.domain.url import parse_url
from scrapemaster.domain.webhook import Answer, Delivery, Endpoint, succeeded
from scrapemaster.fetch.client import ClientPool, ClientSpec, read_body, translated
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.status import parse_retry_after

#: Seconds a try may take in all, name resolution included.
SEND_SECONDS = 15.0
#: Bytes of an answer's body that are read; the rest is ignored.
RESPONSE_BYTES = 65_536
#: Seconds that an answer's body is waited for: what counts is the status.
_RESPONSE_SECONDS = 2.0
#: Bytes of it that are kept for the log of attempts.
_KEPT_BYTES = 1_024
_USER_AGENT = "ScrapeMaster-Webhooks/1"


class WebhookSender:
    """See `ports.webhooks.Sender`."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress = egress
        self._pool = ClientPool()

    async def send(self, delivery: Delivery, endpoint: Endpoint, *, now: float) -> Answer:
        """See the port."""
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            **signed_headers(delivery.id, delivery.body, endpoint.secrets(now), now=now),
        }
        ends_at = time.monotonic() + SEND_SECONDS
        try:
            async with asyncio.timeout(SEND_SECONDS):
                response = await self._post(parse_url(endpoint.url), headers, delivery.body)
        except TimeoutError:
            return Answer(error=f"timeout: the endpoint did not answer within {SEND_SECONDS:.0f} s")
        except PageError as error:
            return Answer(error=f"{error.reason}: {error.detail}")
        status: int = response.status.as_int()
        shown = await _beginning(response, min(_RESPONSE_SECONDS, ends_at - time.monotonic()))
        if succeeded(status):
            return Answer(status, response=shown)
        wait = response.headers.get("retry-after")
        return Answer(
            status,
            error=_refusal(status),
            response=shown,
            retry_after=None if wait is None else parse_retry_after(bytes(wait).decode("latin-1"), now),
        )

    async def close(self) -> None:
        """See the port."""
        self._pool.close()

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Any:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await self._egress.addresses(host, port)
        spec = ClientSpec(
            pins=((host, addresses),),
            seconds=SEND_SECONDS,
            user_agent=_USER_AGENT,
            impersonate=None,
            verify_tls=True,
            proxy=None,
        )
        with translated():
            response = await self._pool.client(spec).post(url, headers=headers, body=body)
        remote = response.remote_addr
        if remote is not None and remote.ip() not in addresses:
            raise GiveUpPage("egress_denied", f"{host} was reached at {remote.ip()}, which was not vetted")
        return response


async def _beginning(response: Any, seconds: float) -> str:
    """What an answer's body begins with, as text; empty when it does not come in time or whole."""
    body = b""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            with translated():
                body = await read_body(response, RESPONSE_BYTES, truncate=True)
    except (TimeoutError, PageError):
        with contextlib.suppress(PageError), translated():
            await response.close()
    return body[:_KEPT_BYTES].decode("utf-8", "replace").replace("\0", "�")


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"the endpoint answered {status}, and redirects are not followed: register the URL it leads to"
    return f"the endpoint answered {status}"
