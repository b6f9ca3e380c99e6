"""Accounts as an admin manages them."""

from __future__ import annotations

from pydantic import Field, StrictBool, model_validator

from scrapemaster.api.schemas.accounts import EMAIL, NAME, NEW_PASSWORD, UserAnswer
from scrapemaster.api.schemas.base import Body
from scrapemaster.domain.rate_limit import PATTERN
from scrapemaster.domain.user import Role

_LIMIT = Field(
    None, pattern=PATTERN, examples=["1000/hour"],
    description="The user's own limit of requests, such as `1000/hour` or `20/15minute`, or `off`; null: the service's.",
)  # fmt: skip


class NewUser(Body):
    """An account to make."""

    username: str = NAME
    password: str = NEW_PASSWORD
    role: Role = Field(Role.USER, description="`user` or `admin`.")
    email: str | None = EMAIL
    rate_limit: str | None = _LIMIT


class UserChange(Body):
    """What to change; what is not named stays."""

    role: Role | None = Field(None, description="`user` or `admin`.", examples=["admin"])
    disabled: StrictBool | None = Field(
        None, description="Whether the account is shut; its tokens are revoked."
    )
    password: str | None = Field(
        None, min_length=8, max_length=128, description="A new password; all tokens are revoked.",
        examples=["another horse battery"],
    )  # fmt: skip
    email: str | None = EMAIL
    rate_limit: str | None = _LIMIT

    @model_validator(mode="after")
    def _no_null(self) -> UserChange:
        for name in ("role", "disabled", "password"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self


class ManagedUserAnswer(UserAnswer):
    """An account as an admin sees it."""

    disabled: bool
    rate_limit: str | None = Field(
        description="The user's own limit of requests; null: the service's.", examples=["1000/hour"]
    )
