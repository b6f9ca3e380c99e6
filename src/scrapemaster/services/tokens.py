"""The tokens that a login gives."""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

from scrapemaster.domain.errors import NotAuthenticated
from scrapemaster.domain.ids import UserId, uuid7
from scrapemaster.domain.user import User

_ALGORITHM = "HS256"
_ISSUER = "scrapemaster"
_AUDIENCE = "scrapemaster-api"
#: What the claim `use` of a dashboard's token says.
_DASHBOARD = "dashboard"
_CLAIMS = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
#: Characters; a token we make has some 400.
_LONGEST = 4_096
#: Seconds that clocks may differ.
_LEEWAY = 5
#: Tokens whose signature need not be checked again, about 600 bytes each.
_KNOWN_MOST = 1_000


@dataclass(slots=True, frozen=True)
class Token:
    """What a token says. `epoch` is the account's `token_epoch` when it was made; `expires_at` is in epoch seconds.

    `dashboard`: it was given for a session of the dashboard.
    """

    user_id: UserId
    jti: str
    epoch: int
    expires_at: float
    dashboard: bool = False


class Tokens:
    """Makes and reads tokens (JWT, RFC 7519), signed with `key`, each good for `seconds`."""

    def __init__(self, key: str, seconds: int) -> None:
        self._key = key
        self.seconds = seconds
        self._known: dict[str, Token] = {}

    def make(self, user: User, *, dashboard: bool = False) -> str:
        """A token for the account as it is now."""
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": user.id,
            "iat": now,
            "nbf": now,
            "exp": now + self.seconds,
            "jti": uuid7(),
            "epoch": user.token_epoch,
        }
        if dashboard:
            claims["use"] = _DASHBOARD
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, text: str) -> Token:
        """What a token of ours says; raises `NotAuthenticated`, the same for whatever is wrong."""
        known = self._known.get(text)
        if known is not None:
            if known.expires_at + _LEEWAY <= time.time():
                del self._known[text]
                raise NotAuthenticated
            return known
        if len(text) > _LONGEST:
            raise NotAuthenticated
        token = self._checked(text)
        if len(self._known) >= _KNOWN_MOST:
            self._known.clear()
        self._known[text] = token
        return token

    def _checked(self, text: str) -> Token:
        try:
            claims = jwt.decode(
                text,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                leeway=_LEEWAY,
                options={"require": _CLAIMS},
            )
            return Token(
                UserId(str(claims["sub"])),
                str(claims["jti"]),
                int(claims.get("epoch", -1)),
                float(claims["exp"]),
                claims.get("use") == _DASHBOARD,
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise NotAuthenticated from None
