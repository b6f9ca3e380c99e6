"""Callers of Scrapyd's API: HTTP Basic (RFC 7617) with a user's name and password, or with an API key as either; or what all routes take."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBasic

from scrapemaster.api.identify import credential_of
from scrapemaster.api.security import Services, address_of
from scrapemaster.domain.api_key import KEY_MARK
from scrapemaster.domain.errors import Forbidden, NotAuthenticated, TooMany
from scrapemaster.service_parts import ServiceApp
from scrapemaster.services.callers import Caller

#: Sign-ins remembered, so that a client that asks each second is not hashed each second.
_REMEMBERED = 1_000

_BASIC = HTTPBasic(
    auto_error=False,
    scheme_name="Basic",
    description="A user's name and password; or an API key as the name or the password.",
)
_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey")


class SignIns:
    """Tokens of those who signed in by Basic of late, by a hash of what they sent that only this process can make."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._tokens: OrderedDict[bytes, str] = OrderedDict()

    async def caller(self, app: ServiceApp, name: str, password: str, address: str) -> Caller:
        """Who it is; raises `NotAuthenticated` and `TooMany`."""
        mark = hashlib.blake2b(
            f"{name}\0{password}".encode("utf-8", "surrogatepass"), key=self._salt
        ).digest()
        token = self._tokens.get(mark)
        if token is not None:
            try:
                return await app.callers.identify(token)
            except NotAuthenticated:  # it has expired, or the password was changed
                self._tokens.pop(mark, None)
        token, _ = await app.accounts.login(name, password, address)
        self._tokens[mark] = token
        while len(self._tokens) > _REMEMBERED:
            self._tokens.popitem(last=False)
        return await app.callers.identify(token)


async def basic_caller(
    request: Request,
    app: Services,
    _basic: Annotated[object, Depends(_BASIC)],
    _key: Annotated[object, Depends(_KEY)],
) -> Caller:
    """Who makes the request, counted against the caller's limit."""
    _refuse_other_sites(request)
    caller = await _found(request, app)
    spent = await app.limits.spend(caller.user)
    if spent is not None and spent.exceeded:
        raise TooMany(f"the limit of {spent.allowed} requests is spent", spent.wait())
    return caller


BasicCaller = Annotated[Caller, Depends(basic_caller)]


async def _found(request: Request, app: ServiceApp) -> Caller:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return await app.callers.identify(credential_of(request.scope["headers"]))
    try:
        name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise NotAuthenticated from None
    for text in (password, name):
        if text.startswith(KEY_MARK):
            return await app.callers.identify(text)
    sign_ins: SignIns = request.app.state.sign_ins
    return await sign_ins.caller(app, name, password, address_of(request))


def _refuse_other_sites(request: Request) -> None:
    """Browsers send Basic credentials by themselves, for other sites' pages too."""
    origin = request.headers.get("origin")
    elsewhere = request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    if elsewhere or (origin is not None and urlsplit(origin).netloc != request.headers.get("host")):
        raise Forbidden("another site's page may not ask for this")
