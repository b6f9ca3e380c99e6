"""`/proxies`: the pool, managed by admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from scrapemaster.api.routers.jobs import as_json, page_links
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import CONFLICT, FORBIDDEN, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.proxies import (
    ProxiesBody,
    ProxyAnswer,
    ProxyChange,
    ProxyCheckAnswer,
    ProxyCheckBody,
    ProxyDetailAnswer,
)
from scrapemaster.api.security import AdminHere, Services
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import ProxyState, masked
from scrapemaster.export.timestamps import iso
from scrapemaster.services.proxies import PooledProxy

router = Router(prefix="/proxies", tags=["proxies"], responses={**UNAUTHENTICATED, **FORBIDDEN})

ProxyPath = Annotated[
    str,
    Path(max_length=100, description="The proxy's id.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"]),
]


def proxy_view(pooled: PooledProxy) -> dict[str, Any]:
    """A proxy's object, without credentials."""
    proxy, health = pooled.proxy, pooled.standing.health
    return {
        "id": proxy.id,
        "url": masked(proxy.url),
        "tier": proxy.tier,
        "tags": list(proxy.tags),
        "enabled": proxy.enabled,
        "state": str(pooled.state),
        "success_rate": round(health.percent, 1),
        "latency": round(health.seconds / health.good, 3) if health.good > 1e-9 else None,
        "hosts": pooled.standing.hosts,
        "hosts_banned": pooled.standing.hosts_banned,
        "resting_until": iso(health.until) if health.resting(pooled.now) else None,
        "created_at": iso(proxy.created_at),
    }


def _detail_view(pooled: PooledProxy) -> dict[str, Any]:
    rests = {host: iso(until) for host, until in pooled.rests.items()}
    return {**proxy_view(pooled), "rests": rests}


@router.post(
    "",
    status_code=201,
    response_model=list[ProxyAnswer],
    responses={**CONFLICT, **INVALID},
    summary="Add proxies",
)
async def add(body: ProxiesBody, _admin: AdminHere, app: Services) -> Any:
    """Puts one proxy or many into the pool, all or none; jobs use them with `config.proxy: "pool"`.

    A proxy's own address must be allowed by the egress policy (422 says which is not). One that is in the pool already, under the same
    scheme, user name, host and port, is a conflict (409).
    """
    urls = [body.url] if body.url is not None else list(body.urls or ())
    return as_json(
        [proxy_view(one) for one in await app.proxies.add(urls, tier=body.tier, tags=body.tags)], 201
    )


@router.get("", response_model=list[ProxyAnswer], responses=INVALID, summary="List proxies")
async def find(
    *,
    request: Request,
    _admin: AdminHere,
    app: Services,
    state: Annotated[ProxyState | None, Query(description="Only those in this state.")] = None,
    tag: Annotated[str | None, Query(max_length=100, description="Only those with this tag.")] = None,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Proxies to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Proxies to return at most.")] = 50,
) -> Any:
    """The pool, oldest first; `X-Total-Count` says how many there are."""
    proxies, total = await app.proxies.find(state=state, tag=tag, skip=skip, limit=limit)
    answer = as_json([proxy_view(one) for one in proxies])
    answer.headers["X-Total-Count"] = str(total)
    answer.headers["Link"] = page_links(request, skip, limit, total)
    return answer


@router.get(
    "/{proxy_id}", response_model=ProxyDetailAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get a proxy"
)
async def get(proxy_id: ProxyPath, _admin: AdminHere, app: Services) -> Any:
    """The proxy, with the hosts that it rests for now."""
    return as_json(_detail_view(await app.proxies.get(ProxyId(proxy_id))))


@router.patch(
    "/{proxy_id}",
    response_model=ProxyDetailAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Change a proxy",
)
async def change(proxy_id: ProxyPath, body: ProxyChange, _admin: AdminHere, app: Services) -> Any:
    """Fields that are not named stay. With another scheme, user name, host or port its figures begin anew."""
    pooled = await app.proxies.change(ProxyId(proxy_id), body.model_dump(exclude_unset=True))
    return as_json(_detail_view(pooled))


@router.delete("/{proxy_id}", status_code=204, responses={**NOT_FOUND, **INVALID}, summary="Remove a proxy")
async def delete(proxy_id: ProxyPath, _admin: AdminHere, app: Services) -> Response:
    """Crawlers stop using it within seconds."""
    await app.proxies.delete(ProxyId(proxy_id))
    return Response(status_code=204)


@router.post(
    "/{proxy_id}/check",
    response_model=ProxyCheckAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Check a proxy",
)
async def check(
    proxy_id: ProxyPath, _admin: AdminHere, app: Services, body: ProxyCheckBody | None = None
) -> Any:
    """Speaks to the proxy now, 15 seconds at most, or fetches a page through it; 200 whatever comes of it.

    Success ends its rest and brings a dead one back; with a page it ends the rest for that page's host too.
    """
    checked, pooled = await app.proxies.check(ProxyId(proxy_id), body.url if body is not None else None)
    return as_json(
        {
            "ok": checked.ok,
            "detail": checked.detail,
            "seconds": round(checked.seconds, 3),
            "status": checked.status,
            "proxy": proxy_view(pooled),
        }
    )
