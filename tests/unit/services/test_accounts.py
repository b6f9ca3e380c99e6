"""What a login does, whatever is wrong with it: by the work done, against a real store."""

import asyncio
from dataclasses import replace

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from scrapemaster.domain.errors import Forbidden, NotAuthenticated, TooMany
from scrapemaster.domain.rate_limit import RateLimit
from scrapemaster.domain.user import Role
from scrapemaster.services.accounts import AccountRules, AccountService
from scrapemaster.services.api_keys import ApiKeyService
from scrapemaster.services.callers import Callers
from scrapemaster.services.passwords import NOBODY, Passwords
from scrapemaster.services.tokens import Tokens
from scrapemaster.services.windows import Windows

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"
RULES = AccountRules(
    registration=True, register_limit=RateLimit(3, 3_600), admin_username="admin", admin_password=None
)


class Recording(Passwords):
    """The real thing, which remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.checked = []

    async def matches(self, hashed, password):
        self.checked.append(hashed)
        return await super().matches(hashed, password)


@pytest.fixture
def passwords():
    return Recording()


@pytest.fixture
def tokens():
    return Tokens("k" * 32, 3_600)


@pytest.fixture
def accounts(store, tokens, passwords):
    return AccountService(store.users, RULES, tokens, Windows(), passwords)


@pytest.fixture
async def ada(accounts):
    return await accounts.add("Ada", PASSWORD, Role.USER)


def test_passwords_are_hashed_as_owasp_recommends():
    parameters = extract_parameters(NOBODY)

    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (46 * 1_024, 1, 1)
    assert (parameters.hash_len, parameters.salt_len) == (32, 16)


async def test_H30_every_failed_login_does_the_same_work_and_says_the_same(store, accounts, passwords, ada):
    shut = await accounts.add("Eve", PASSWORD, Role.USER)
    await store.users.change(shut.id, disabled=True)
    words = set()
    for name, password in [
        ("ada", "wrong password"),
        ("nobody", "wrong password"),
        ("not a name", "wrong password"),
        ("eve", PASSWORD),
    ]:
        with pytest.raises(NotAuthenticated) as caught:
            await accounts.login(name, password, HERE)
        words.add(str(caught.value))

    assert len(words) == 1
    # One Argon2 hash with the same parameters each time, of nobody's password where there is no such account.
    assert passwords.checked == [ada.password_hash, NOBODY, NOBODY, shut.password_hash]
    assert len({replace_salt(hashed) for hashed in passwords.checked}) == 1


def replace_salt(hashed):
    return hashed.rsplit("$", 2)[0]


async def test_H30_a_refused_login_costs_no_hashing(accounts, passwords, ada):
    done = await asyncio.gather(
        *(accounts.login("ada", "wrong password", HERE) for _ in range(30)), return_exceptions=True
    )

    assert {type(one) for one in done} == {NotAuthenticated, TooMany}
    assert len(passwords.checked) == 10


async def test_registrations_from_one_address_are_limited(accounts):
    for number in range(3):
        await accounts.register(f"user{number}", PASSWORD, None, HERE)

    with pytest.raises(TooMany):
        await accounts.register("another", PASSWORD, None, HERE)
    await accounts.register("another", PASSWORD, None, "192.0.2.2")


async def test_a_hash_of_older_parameters_is_renewed_at_login(store, accounts):
    older = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    ada = await accounts.add("Ada", PASSWORD, Role.USER)
    await store.users.change(ada.id, password_hash=older)

    await accounts.login("ada", PASSWORD, HERE)

    assert (await store.users.by_id(ada.id)).password_hash != older
    await accounts.login("ada", PASSWORD, HERE)


async def test_changing_the_password_revokes_tokens_and_leaves_keys(store, accounts, tokens, ada):
    callers = Callers(store.users, store.api_keys, tokens)
    _, key = await ApiKeyService(store.api_keys).create(ada.id, "n", None)
    token, _ = await accounts.login("ada", PASSWORD, HERE)
    caller = await callers.identify(token)

    with pytest.raises(Forbidden):
        await accounts.change_password(caller, "wrong password", "another password", HERE)
    assert (await callers.identify(token)).user.id == ada.id
    await accounts.change_password(caller, PASSWORD, "another password", HERE)

    with pytest.raises(NotAuthenticated):
        await callers.identify(token)
    assert (await callers.identify(key)).user.id == ada.id
    with pytest.raises(NotAuthenticated):
        await accounts.login("ada", PASSWORD, HERE)
    assert await accounts.login("ada", "another password", HERE)


async def test_H30_the_current_password_cannot_be_guessed_either(store, accounts, tokens, ada):
    callers = Callers(store.users, store.api_keys, tokens)
    token, _ = await accounts.login("ada", PASSWORD, HERE)
    caller = await callers.identify(token)

    done = [
        await asyncio.gather(
            accounts.change_password(caller, "wrong password", "another password", HERE),
            return_exceptions=True,
        )
        for _ in range(15)
    ]

    assert [type(one) for (one,) in done] == [Forbidden] * 10 + [TooMany] * 5


async def test_the_use_of_a_key_is_written_once_a_minute_and_read_in_one_look(store, tokens, ada):
    class Counting:
        def __init__(self, inner):
            self.inner, self.calls = inner, []

        def __getattr__(self, name):
            self.calls.append(name)
            return getattr(self.inner, name)

    keys, users = Counting(store.api_keys), Counting(store.users)
    _, text = await ApiKeyService(store.api_keys).create(ada.id, "n", None)
    callers = Callers(users, keys, tokens)

    await asyncio.gather(*(callers.identify(text) for _ in range(50)))
    for _ in range(50):
        await callers.identify(text)

    assert keys.calls.count("used") == 1
    assert keys.calls.count("holder") == 100
    assert users.calls == []
    (key,) = await store.api_keys.of_owner(ada.id)
    assert key.last_used_at is not None
    # Another process begins with what is stored.
    again = Counting(store.api_keys)
    await Callers(users, again, tokens).identify(text)
    assert again.calls == ["holder"]

    users.calls.clear()
    await callers.identify(tokens.make(ada))
    assert users.calls == ["holder"]


async def test_expired_keys_and_keys_of_disabled_users_are_refused(store, tokens, ada):
    callers = Callers(store.users, store.api_keys, tokens)
    service = ApiKeyService(store.api_keys)
    key, text = await service.create(ada.id, "n", 9e9)
    await service.delete(key.id, ada.id)
    await store.api_keys.add(replace(key, expires_at=5.0), most=9)
    _, good = await service.create(ada.id, "n", None)
    assert (await callers.identify(good)).token is None

    for bad in (text, good + "x", "sm_", "sm_" + "a" * 10_000, "sm_\ud800"):
        with pytest.raises(NotAuthenticated):
            await callers.identify(bad)
    await store.users.change(ada.id, disabled=True)
    with pytest.raises(NotAuthenticated):
        await callers.identify(good)
