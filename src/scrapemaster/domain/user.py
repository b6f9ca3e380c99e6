"""Who may use the service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scrapemaster.domain.ids import UserId


class Role(StrEnum):
    """`admin` sees all and manages users and proxies; `user` sees only its own."""

    USER = "user"
    ADMIN = "admin"


@dataclass(slots=True, frozen=True)
class User:
    """An account.

    `username` keeps the spelling it was registered with; `name_key` (its case-folded form) is what must be
    unique. `token_epoch` is written into tokens; raising it revokes all of them at once. `rate_limit` is the
    account's own limit as `domain.rate_limit` reads it; None for the service's.
    """

    id: UserId
    username: str
    password_hash: str
    role: Role
    created_at: float
    email: str | None = None
    disabled: bool = False
    token_epoch: int = 0
    rate_limit: str | None = None

    @property
    def name_key(self) -> str:
        """The form in which names are compared."""
        return self.username.casefold()
