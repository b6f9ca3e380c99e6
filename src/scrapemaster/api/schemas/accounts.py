"""Accounts and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from scrapemaster.api.schemas.base import Answer, Body

NAME = Field(
    pattern=r"^[A-Za-z0-9_.-]{3,64}$",
    description="3 to 64 of A-Z a-z 0-9 _ . - ; compared without regard to case.",
    examples=["ada"],
)
NEW_PASSWORD = Field(
    min_length=8, max_length=128, description="8 to 128 characters.", examples=["correct horse battery"]
)
EMAIL = Field(
    None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", description="For the admin to reach the user.",
    examples=["ada@example.com"],
)  # fmt: skip


class Registration(Body):
    """A new account."""

    username: str = NAME
    password: str = NEW_PASSWORD
    email: str | None = EMAIL


class Credentials(Body):
    """A name and a password, as JSON."""

    username: str = Field(max_length=256, examples=["ada"])
    password: str = Field(max_length=1_024, examples=["correct horse battery"])
    use: Literal["api", "dashboard"] = Field(
        "api",
        description="What the token is for. What a `dashboard` reads and tries out has a budget of its own; orders and changes count as "
        "everybody's.",
    )


class WelcomeAnswer(Answer):
    """What a sign-in page may tell anybody."""

    registration: bool = Field(description="Whether anybody may make an account.")
    fresh: bool = Field(description="Whether there is no account but the one made at the first start.")


class PasswordChange(Body):
    """The password there is, and the one there shall be."""

    current_password: str = Field(
        max_length=1_024, description="The password until now.", examples=["correct horse battery"]
    )
    new_password: str = Field(
        min_length=8, max_length=128, description="8 to 128 characters.", examples=["another horse battery"]
    )


class UserAnswer(Answer):
    """An account."""

    id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    username: str = Field(examples=["ada"])
    email: str | None = Field(examples=["ada@example.com"])
    role: str = Field(description="`user` or `admin`.", examples=["user"])
    created_at: datetime = Field(examples=["2026-01-15T10:30:00.000000Z"])


class TokenAnswer(Answer):
    """A token, to be sent as `Authorization: Bearer …`."""

    access_token: str = Field(examples=["eyJ0eXAiOiJKV1QiLCJhbGc…"])
    token_type: str = Field(examples=["bearer"])
    expires_in: int = Field(description="Seconds the token lasts.", examples=[86400])
