"""Every setting, from the environment: `SCRAPEMASTER_*`, checked at start."""

from __future__ import annotations

import difflib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scrapemaster.domain import rate_limit
from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.domain.scrapy_settings import COMPONENT_PATTERN, SETTING_PATTERN

PREFIX = "SCRAPEMASTER_"
#: Names that belong to the test suite.
_TESTS = "SCRAPEMASTER_TEST_"
#: A scheme, a host, perhaps a port (RFC 6454, section 6.2).
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_REDIS_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
#: Parts of the names of settings whose values are not repeated in messages.
_SECRET_NAMES = ("password", "key", "_url", "_endpoint")
#: Scheme, user and password, hosts, the database's name (letters, digits, _ and -), options.
_MONGODB_URL = re.compile(
    r"mongodb(\+srv)?://([^@/:?#\s]+(:[^@/:?#\s]*)?@)?[^@/?#\s]+(/([\w-]{1,63})?(\?\S*)?)?", re.ASCII
)


class Settings(BaseSettings):
    """What an operator may set; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path("scrapemaster-data"), description="Folder of the database and the generated secret."
    )
    mongodb_url: SecretStr | None = Field(
        None,
        description="Connection string of a MongoDB replica set, such as `mongodb://user:password@host/scrapemaster`, to keep "
        "everything there and not in a file of the data folder. Needs the extra `mongo`.",
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
        32,
        ge=1,
        le=1_000,
        description="Requests under way at once to one host, over all jobs of a crawler, or of a whole fleet.",
    )
    proxy_rest: float = Field(
        60.0,
        ge=1,
        le=3_600,
        description="Seconds a proxy of the pool rests for a host that banned it; doubled for each ban in a row, an hour at most.",
    )
    proxy_wait: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="Seconds a job waits for proxies when all of them rest; if the first is free later than that, its pages fail.",
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
    redis_url: SecretStr | None = Field(
        None,
        description="Address of the Redis that joins the processes of a fleet: `redis://[user:password@]host:6379/0`, "
        "`rediss://…?ssl_ca_certs=ca.crt` with TLS, or `redis+sentinel://[user:password@]host:26379,host2:26379/service/0`. "
        "Needed by `scrapemaster api`, `worker` and `all`; without it the service runs embedded.",
    )
    browser_executable: str | None = Field(
        None,
        min_length=1,
        description="Chromium or Chrome for the browser engine, by name or path. Without it: one on `PATH`, or Playwright's own.",
    )
    browser_sandbox: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Chromium's sandbox, which needs unprivileged user namespaces: `auto` uses it unless the service runs as root, for "
        "whom it does not work.",
    )
    browser_processes: int = Field(1, ge=1, le=32, description="Browsers at once in a crawler.")
    browser_pages: int = Field(
        8,
        ge=1,
        le=256,
        description="Pages open at once in all browsers of a crawler, besides one that is being closed; jobs take turns.",
    )
    browser_recycle_pages: int = Field(
        500, ge=1, le=1_000_000, description="Pages after which a browser is replaced by a fresh one."
    )
    browser_recycle_seconds: float = Field(
        3_600.0, ge=1, le=604_800, description="Seconds after which a browser is replaced."
    )
    browser_recycle_memory: int = Field(
        2_048,
        ge=256,
        le=1_048_576,
        description="MiB of memory, over all its processes, at which a browser is replaced. At twice as much its largest page is ended "
        "at once.",
    )
    browser_idle_seconds: float = Field(
        5.0, ge=0, le=86_400, description="Seconds for which browsers are kept when no job has use for them."
    )
    browser_page_bytes: int = Field(
        64 * 1024 * 1024,
        ge=65_536,
        le=1024**4,
        description="Bytes that a page in a browser and all that it loads may have together, as they come over the network.",
    )
    scrapy_components: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Import paths of middlewares, item pipelines and extensions that jobs with the Scrapy engine may name, separated by "
        "commas. They run in the crawler: allow only what you trust as you trust the service itself.",
    )
    scrapy_settings: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names of further Scrapy settings that jobs may give, such as those which these components read, separated by commas; "
        "`MYPROXY_*` means all that begin so.",
    )
    artefact_bytes: int = Field(
        1024**3,
        ge=0,
        le=1024**5,
        description="Bytes of screenshots and PDFs that one job may store; what is beyond is left out, and the job says so.",
    )
    spider_places: int = Field(
        4,
        ge=1,
        le=256,
        description="Spiders of uploaded projects that run at once in a crawler; more take turns.",
    )
    spider_memory: int = Field(
        1_024, ge=256, le=1_048_576, description="MiB of memory that the process of a spider may have."
    )
    spider_cpu_seconds: int = Field(
        36_000,
        ge=1,
        le=31_536_000,
        description="Seconds of processor time that the process of a spider may take.",
    )
    spider_seconds: float = Field(
        86_400.0,
        ge=1,
        le=31_536_000,
        description="Seconds after which a spider is closed, and its job completes with what it has.",
    )
    spider_stop_seconds: float = Field(
        10.0,
        ge=0,
        le=3_600,
        description="Seconds that a spider is given to close in order before its process is ended.",
    )
    spider_pause_seconds: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="Seconds for which the process of a spider is kept whose job is paused; after that it begins anew when the job goes on.",
    )
    spider_file_bytes: int = Field(
        1024**3,
        ge=1_048_576,
        le=1024**4,
        description="Bytes that each file may have that a spider writes into its temporary folder.",
    )
    spider_project_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1_048_576,
        le=1024**4,
        description="Bytes that a Scrapy project may have unpacked. As an archive it may have those of `SCRAPEMASTER_MAX_REQUEST_BYTES`.",
    )
    spider_sandbox: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether the kernel keeps spiders from files and connections that are not theirs, which needs Linux 6.7: `auto` where it "
        "can, `on` to run none where it cannot, `off` never.",
    )
    max_request_bytes: int = Field(
        16 * 1024 * 1024, ge=1_024, le=1024**3, description="Largest body the API accepts, in bytes."
    )
    metrics: bool = Field(
        default=True, description="Whether `/metrics` is served, to anybody who can reach the API."
    )
    otel_endpoint: str | None = Field(
        None,
        description="Where an OpenTelemetry collector takes OTLP over HTTP, such as `http://127.0.0.1:4318`, to have jobs traced. "
        "`OTEL_*` variables set the rest. Needs the extra `otel`.",
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

    @field_validator("mongodb_url")
    @classmethod
    def _mongodb(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _MONGODB_URL.fullmatch(value.get_secret_value()):
            raise ValueError(
                "must be like mongodb://user:password@host:27017/scrapemaster or mongodb+srv://host/scrapemaster, with special "
                "characters of the password in percent encoding (@ is %40, / is %2F, : is %3A)"
            )
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

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        # The value may hold a password, so that no message may repeat it.
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value().replace(",", "-"))
            usable = parts.scheme in _REDIS_SCHEMES and bool(parts.hostname)
            if "sentinel" not in parts.scheme:
                usable = usable and parts.port != 0  # raises ValueError for what is no port
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(
                f"must be an address such as redis://127.0.0.1:6379/0 ({', '.join(_REDIS_SCHEMES)})"
            )
        if "sentinel" in parts.scheme and not parts.path.strip("/"):
            raise ValueError("must name the Sentinel's service: redis+sentinel://host:26379/mymaster/0")
        return value

    @field_validator("scrapy_components", "scrapy_settings", mode="before")
    @classmethod
    def _scrapy_names(cls, value: Any, info: ValidationInfo) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        names = [text for part in parts if (text := str(part).strip())]
        components = info.field_name == "scrapy_components"
        pattern = COMPONENT_PATTERN if components else SETTING_PATTERN
        for text in names:
            if pattern.fullmatch(text) is None:
                wanted = (
                    "an import path such as package.module.Class"
                    if components
                    else "a name such as MYPROXY_LIST or MYPROXY_*"
                )
                raise ValueError(f"{text!r} is not {wanted}")
        return tuple(names)

    @field_validator("otel_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or re.search(r"\s", value) or parts.query or parts.fragment:
            raise ValueError("must be an address such as http://127.0.0.1:4318, without a query")
        if "@" in parts.netloc:
            raise ValueError("must not hold a password: give headers with OTEL_EXPORTER_OTLP_HEADERS")
        return value

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
        secret = any(part in name.lower() for part in _SECRET_NAMES)
        shown = "" if secret else f" (it is {first['input']!r})"
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


def redis_url_of(settings: Settings) -> str:
    """The address of the fleet's Redis; raises `InvalidSetting` when none is set."""
    if settings.redis_url is None:
        raise InvalidSetting(
            "SCRAPEMASTER_REDIS_URL is not set: the processes of a fleet find each other in Redis; set it to an address "
            "such as redis://127.0.0.1:6379/0, or start scrapemaster serve, which needs none"
        )
    return settings.redis_url.get_secret_value()
