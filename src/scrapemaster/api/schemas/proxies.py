"""The proxy pool."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from scrapemaster.api.schemas.base import Answer, Body
from scrapemaster.domain.proxy import ProxyState

ProxyUrl = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
ProxyTag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_URL = "Scheme (http, https, socks5, socks5h), perhaps credentials, host, port. Credentials are kept and not shown again."
_TIER = "Proxies of a lower tier are used first: give cheap ones 0."
_TAGS = "Yours; a job may ask for proxies with a tag: `pool:tag`."


class ProxiesBody(Body):
    """Proxies to put into the pool. Either `url` or `urls`."""

    url: ProxyUrl | None = Field(None, description=_URL, examples=["http://ada:secret@192.0.2.7:3128"])
    urls: list[ProxyUrl] | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="Several at once, instead of `url`; all are taken or none.",
    )
    tier: StrictInt = Field(0, ge=0, le=100, description=_TIER)
    tags: list[ProxyTag] = Field([], max_length=50, description=_TAGS, examples=[["home"]])

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        if (self.url is None) == (self.urls is None):
            raise ValueError("give either url or urls")
        return self


class ProxyChange(Body):
    """What to change; what is not named stays."""

    url: ProxyUrl | None = Field(None, description=_URL, examples=["http://ada:new-secret@192.0.2.7:3128"])
    tier: StrictInt | None = Field(None, ge=0, le=100, description=_TIER, examples=[1])
    tags: list[ProxyTag] | None = Field(None, max_length=50, description=_TAGS, examples=[["home"]])
    enabled: StrictBool | None = Field(None, description="Whether jobs may use it.", examples=[True])

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self


class ProxyCheckBody(Body):
    """How to check a proxy."""

    url: ProxyUrl | None = Field(
        None,
        description="A page to fetch through it, under the egress policy. Without one only the proxy itself is spoken to.",
        examples=["https://example.com/"],
    )


class ProxyAnswer(Answer):
    """A proxy of the pool. Figures are of late: what is ten minutes old counts half."""

    id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    url: str = Field(description="Without its credentials.", examples=["http://***@192.0.2.7:3128"])
    tier: int
    tags: list[str]
    enabled: bool
    state: ProxyState = Field(
        description="`cooldown`: it rests because no connection could be made. `banned`: every host it was used for of late "
        "banned it. `dead`: no connection for an hour; only checks use it.",
    )
    success_rate: float = Field(
        description="Percent of its requests; 100 when there was none.", examples=[95.5]
    )
    latency: float | None = Field(description="Mean seconds of a good request.", examples=[0.8])
    hosts: int = Field(description="Hosts it was used for within an hour.")
    hosts_banned: int = Field(description="Hosts of these that have banned it now.")
    resting_until: datetime | None = Field(description="When its own rest ends.")
    created_at: datetime


class ProxyDetailAnswer(ProxyAnswer):
    """A proxy with the hosts it rests for."""

    rests: dict[str, datetime] = Field(
        description="Hosts it is not used for now, a hundred at most, and until when.",
        examples=[{"example.com": "2024-01-15T10:45:00Z"}],
    )


class ProxyCheckAnswer(Answer):
    """What a check found."""

    ok: bool
    detail: str = Field(examples=["it answers"])
    seconds: float = Field(examples=[0.12])
    status: int | None = Field(description="Of the page, if one was asked for.", examples=[200])
    proxy: ProxyAnswer
