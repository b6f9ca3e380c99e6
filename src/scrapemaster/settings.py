"""Every setting, from the environment: `SCRAPEMASTER_*`, checked at start."""

from __future__ import annotations

import difflib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scrapemaster.domain import rate_limit
from scrapemaster.domain.errors import InvalidSetting

PREFIX = "SCRAPEMASTER_"
#: Names that belong to the test suite.
_TESTS = "SCRAPEMASTER_TEST_"
#: A scheme, a host, perhaps a port (RFC 6454, section 6.2).
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class Settings(BaseSettings):
    """What an operator may set; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path("scrapemaster-data"), description="Folder of the database and the generated secret."
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address the API listens on.")
    port: int = Field(8000, ge=1, le=65_535, description="Port the API listens on.")
    secret_key: SecretStr | None = Field(
        None,
        description="Key that signs tokens, at least 32 characters. "
        "Without it one is generated into the data folder, readable by its owner alone.",
    )
    admin_username: str = Field(
        "admin", pattern=r"^[A-Za-z0-9_.-]{3,64}$", description="Name of the admin made at the first start."
    )
    admin_password: SecretStr | None = Field(
        None,
        description="Password of the admin made at the first start, 8 to 128 characters. "
        "Without it a random one is made and printed once.",
    )
    registration: bool = Field(default=True, description="Whether anybody may register an account.")
    token_ttl: int = Field(86_400, ge=60, le=31_536_000, description="Seconds a login lasts.")
    register_limit: str = Field(
        "20/hour",
        pattern=rate_limit.PATTERN,
        description="Registrations from one address (an IPv6 network of 64 bits counts as one), or `off`.",
    )
    dashboard_rate_limit: str = Field(
        "3600/hour",
        pattern=rate_limit.PATTERN,
        description="What one user's dashboard may read and try out, counted apart from `SCRAPEMASTER_RATE_LIMIT`; or `off`.",
    )
    rate_limit: str = Field(
        "100/hour",
        pattern=rate_limit.PATTERN,
        description="API requests of one user, such as `100/hour` or `20/15minute`, or `off`; an admin may give a user another limit.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks of the reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, separated by "
        "commas. Without them every client seems to come from the proxy's address.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may call the API from a browser, such as `https://app.example.com`, separated by commas; "
        "`*` means any.",
    )
    client_timeout: float = Field(
        30.0,
        ge=0.1,
        le=3_600,
        description="Seconds a client has to send a request, and one more for each 4 KiB of it; and half the seconds it may leave a "
        "response unread. Then the connection is closed.",
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks that may be crawled although they are not public, such as `10.1.0.0/16,127.0.0.1`, "
        "separated by commas.",
    )
    host_concurrency: int = Field(
        32, ge=1, le=1_000, description="Requests under way at once to one host, over all jobs of a crawler."
    )
    crawler_places: int = Field(
        64, ge=1, le=1_024, description="Jobs that run at once for each priority; more take turns."
    )
    max_webhooks: int = Field(
        20, ge=1, le=1_000, description="Webhooks a user may have; those of single jobs are not counted."
    )
    schedules_per_user: int = Field(
        100, ge=0, le=100_000, description="Schedules a user may have; 0 allows none."
    )
    extract_seconds: float = Field(
        10.0, ge=0.5, le=600, description="Seconds that extracting one page may take before the page fails."
    )
    extract_memory: int = Field(
        2_048,
        ge=512,
        le=1_048_576,
        description="MiB of memory that a process which extracts a large page or runs costly selectors may have.",
    )
    max_request_bytes: int = Field(
        16 * 1024 * 1024, ge=1_024, le=1024**3, description="Largest body the API accepts, in bytes."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe messages that are logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Logs for people (`console`) or for programs (`json`)."
    )

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters; make one with: openssl rand -hex 32")
        return value

    @field_validator("admin_password")
    @classmethod
    def _password_rule(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 8 <= len(value.get_secret_value()) <= 128:
            raise ValueError("must have 8 to 128 characters")
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        origins = [text for part in parts if (text := str(part).strip())]
        for text in origins:
            if text != "*" and _ORIGIN.fullmatch(text) is None:
                raise ValueError(f"{text!r} is not an origin such as https://app.example.com, without a path")
        return tuple(origins)

    @field_validator("egress_allow", "trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        networks = []
        for part in parts:
            text = str(part).strip()
            if not text:
                continue
            try:
                networks.append(str(ip_network(text)))
            except ValueError as error:
                raise ValueError(f"{text!r} is not a network such as 10.1.0.0/16: {error}") from None
        return tuple(networks)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (those that are not None) go first.

    Raises `InvalidSetting` with a sentence for the first one that is wrong or unknown.
    """
    _refuse_unknown()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper() if first["loc"] else PREFIX
        message = first["msg"].removeprefix("Value error, ")
        shown = "" if "password" in name.lower() or "key" in name.lower() else f" (it is {first['input']!r})"
        raise InvalidSetting(f"{name}: {message}{shown}") from None


def settings_environment(settings: Settings) -> dict[str, str]:
    """The environment in which `load_settings` gives these settings again; without secrets, which are inherited."""
    environment = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) or value is None:
            continue
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        environment[f"{PREFIX}{name}".upper()] = text
    return environment


def _refuse_unknown() -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and not name.startswith(_TESTS) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, 1)
            hint = f"; did you mean {close[0]}?" if close else "; see docs/deployment.md for all settings"
            raise InvalidSetting(f"there is no setting {name}{hint}")
