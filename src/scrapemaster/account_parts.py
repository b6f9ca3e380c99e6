"""The composition root's part for accounts, which commands about users and the parent of a fleet need alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scrapemaster.data_folder import prepare_data_dir
from scrapemaster.domain.rate_limit import parse_rate_limit
from scrapemaster.ports.store import Store
from scrapemaster.services.accounts import AccountRules, AccountService, signing_key_in
from scrapemaster.services.api_keys import ApiKeyService
from scrapemaster.services.callers import Callers
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.tokens import Tokens
from scrapemaster.services.users import Removal, UserService
from scrapemaster.services.windows import Windows
from scrapemaster.settings import Settings


@dataclass(slots=True, frozen=True)
class AccountsApp:
    """The use cases around accounts."""

    callers: Callers
    limits: RateLimits
    accounts: AccountService
    api_keys: ApiKeyService
    users: UserService


def build_accounts(
    settings: Settings, store: Store, removals: Sequence[Removal] = (), windows: Windows | None = None
) -> AccountsApp:
    """The use cases of accounts over an open store. `removals` take away what a user owns when it is deleted."""
    given, password = settings.secret_key, settings.admin_password
    rules = AccountRules(
        registration=settings.registration,
        register_limit=parse_rate_limit(settings.register_limit),
        admin_username=settings.admin_username,
        admin_password=password.get_secret_value() if password else None,
    )
    key = given.get_secret_value() if given else signing_key_in(prepare_data_dir(settings))
    tokens = Tokens(key, settings.token_ttl)
    windows = windows or Windows()
    accounts = AccountService(store.users, rules, tokens, windows)
    return AccountsApp(
        callers=Callers(store.users, store.api_keys, tokens),
        limits=RateLimits(
            windows, parse_rate_limit(settings.rate_limit), parse_rate_limit(settings.dashboard_rate_limit)
        ),
        accounts=accounts,
        api_keys=ApiKeyService(store.api_keys),
        users=UserService(store.users, accounts, removals),
    )
