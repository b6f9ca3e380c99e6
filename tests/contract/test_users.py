import asyncio
from dataclasses import replace

import pytest

from contract.conftest import make_job, running_job
from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.errors import Conflict, LeaseLost, NotFound
from scrapemaster.domain.ids import new_api_key_id, new_user_id
from scrapemaster.domain.user import Role, User


def user(name, **changes):
    return replace(User(new_user_id(), name, "hash", Role.USER, 5.0, "a@b.c"), **changes)


def key_of(owner, hashed="h", **changes):
    return replace(ApiKey(new_api_key_id(), owner, "n", hashed, "sm_abcd", "wxyz", 5.0), **changes)


async def added(store, *names, **changes):
    users = [user(name, **changes) for name in names]
    for one in users:
        await store.users.add(one)
    return users if len(users) > 1 else users[0]


async def test_a_user_is_found_by_id_and_by_name_in_any_case(store):
    ada = await added(store, "Ada", rate_limit="5/minute")

    assert await store.users.by_id(ada.id) == ada
    assert await store.users.by_name("ada") == ada
    assert await store.users.by_name("eve") is None
    assert await store.users.count() == 1


async def test_a_name_can_be_had_once(store):
    await added(store, "Ada")

    with pytest.raises(Conflict):
        await store.users.add(user("aDA"))


async def test_users_are_listed_in_pages_with_their_number(store):
    users = []
    for number in range(5):
        users.append(await added(store, f"user{number}"))
        await asyncio.sleep(0.002)  # ids sort by the millisecond

    assert await store.users.find(skip=0, limit=100) == (users, 5)
    assert await store.users.find(skip=3, limit=1) == (users[3:4], 5)
    assert await store.users.find(skip=9, limit=1) == ([], 5)


async def test_fields_are_changed_one_by_one(store):
    ada = await added(store, "Ada")

    after = await store.users.change(ada.id, role=Role.ADMIN, rate_limit="off")

    assert after == replace(ada, role=Role.ADMIN, rate_limit="off")
    assert await store.users.change(ada.id, revoke=True, email=None) == replace(
        after, token_epoch=1, email=None
    )
    assert await store.users.by_id(ada.id) == replace(after, token_epoch=1, email=None)
    with pytest.raises(NotFound):
        await store.users.change(new_user_id(), email=None)


async def test_a_change_bound_to_a_password_hash_is_refused_when_that_is_another(store):
    ada = await added(store, "Ada")

    with pytest.raises(Conflict):
        await store.users.change(ada.id, if_hash="other", revoke=True, password_hash="new")
    assert await store.users.by_id(ada.id) == ada

    changed = await store.users.change(ada.id, if_hash="hash", password_hash="new")
    assert changed.password_hash == "new"


@pytest.mark.parametrize("changes", [{"role": Role.USER}, {"disabled": True}, None])
async def test_the_last_enabled_admin_stays(store, changes):
    ada = await added(store, "Ada", role=Role.ADMIN)
    await added(store, "Bob")
    await added(store, "Eve", role=Role.ADMIN, disabled=True)

    with pytest.raises(Conflict, match="last enabled admin"):
        if changes is None:
            await store.users.delete(ada.id)
        else:
            await store.users.change(ada.id, **changes)

    assert await store.users.by_id(ada.id) == ada


async def test_two_admins_who_demote_each_other_at_once_leave_one(store):
    admins = await added(store, "Ada", "Bob", role=Role.ADMIN)

    done = await asyncio.gather(
        *(store.users.change(one.id, role=Role.USER) for one in admins), return_exceptions=True
    )

    assert sorted(type(one) for one in done if isinstance(one, Exception)) == [Conflict]


async def test_other_changes_of_the_only_admin_are_free_and_so_are_all_without_an_admin(store):
    bob = await added(store, "Bob")
    await store.users.change(bob.id, disabled=True)
    ada = await added(store, "Ada", role=Role.ADMIN)

    assert (await store.users.change(ada.id, password_hash="new", revoke=True)).token_epoch == 1


async def test_a_deleted_user_is_gone_with_its_keys_and_networks(store):
    ada, bob = await added(store, "Ada", "Bob")
    await store.api_keys.add(key_of(ada.id, "a"), most=5)
    await store.api_keys.add(key_of(bob.id, "b"), most=5)
    await store.users.know_network(ada.id, "10.0.0.1", now=5.0, keep=5)

    await store.users.delete(ada.id)

    assert await store.users.by_id(ada.id) is None
    assert await store.api_keys.holder("a") is None
    assert await store.api_keys.holder("b") is not None
    assert await store.users.network_known(ada.id, "10.0.0.1", since=0) is None
    with pytest.raises(NotFound):
        await store.users.delete(ada.id)


async def test_a_revoked_token_has_no_holder_any_more(store):
    ada = await added(store, "Ada")

    assert await store.users.holder(ada.id, "j1") == ada
    await store.users.revoke_token("j1", 9e9)
    await store.users.revoke_token("j1", 9e9)

    assert await store.users.holder(ada.id, "j1") is None
    assert await store.users.holder(ada.id, "j2") == ada
    assert await store.users.holder(new_user_id(), "j2") is None


async def test_the_latest_networks_of_an_account_stay_known(store):
    ada, bob = await added(store, "Ada", "Bob")
    for at, network in enumerate(["a", "b", "c", "a", "d"]):
        await store.users.know_network(ada.id, network, now=float(at), keep=3)

    known = {name: await store.users.network_known(ada.id, name, since=0.0) for name in "abcd"}

    assert known == {"a": 3.0, "b": None, "c": 2.0, "d": 4.0}
    assert await store.users.network_known(ada.id, "c", since=2.5) is None
    assert await store.users.network_known(bob.id, "a", since=0.0) is None


async def test_a_key_is_found_by_its_hash_with_its_owner(store):
    ada = await added(store, "Ada")
    key = key_of(ada.id, "h1", expires_at=7.0)
    await store.api_keys.add(key, most=5)

    assert await store.api_keys.holder("h1") == (key, ada)
    assert await store.api_keys.holder("h2") is None


async def test_an_owner_has_so_many_keys_and_no_more_even_at_once(store):
    ada, bob = await added(store, "Ada", "Bob")

    done = await asyncio.gather(
        *(store.api_keys.add(key_of(ada.id, f"h{n}"), most=3) for n in range(6)), return_exceptions=True
    )

    assert [type(one) for one in done if one is not None] == [Conflict] * 3
    assert len(await store.api_keys.of_owner(ada.id)) == 3
    await store.api_keys.add(key_of(bob.id, "bobs"), most=3)
    assert [key.hashed for key in await store.api_keys.of_owner(bob.id)] == ["bobs"]


async def test_the_last_use_of_a_key_never_goes_back(store):
    ada = await added(store, "Ada")
    key = key_of(ada.id)
    await store.api_keys.add(key, most=5)
    for at in (50.0, 40.0):
        await store.api_keys.used(key.id, at)
    await store.api_keys.used(new_api_key_id(), 60.0)

    assert await store.api_keys.of_owner(ada.id) == [replace(key, last_used_at=50.0)]


async def test_H28_a_key_is_deleted_by_its_owner_alone(store):
    ada, bob = await added(store, "Ada", "Bob")
    key = key_of(ada.id)
    await store.api_keys.add(key, most=5)

    assert not await store.api_keys.delete(key.id, bob.id)
    assert await store.api_keys.delete(key.id, ada.id)
    assert not await store.api_keys.delete(key.id, ada.id)


async def test_all_jobs_of_an_owner_go_at_once_even_while_they_run(store):
    job = await running_job(store, "a", "b")
    await store.jobs.add(make_job(), [])
    others = await running_job(store, "a", owner="bob")
    leased = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)

    assert await store.jobs.delete_of(job.owner) == 2

    assert await store.jobs.get(job.id) is None
    assert (await store.jobs.get(others.id)) is not None
    assert [one for one, _ in await store.jobs.unfinished()] == [others.id]
    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [])
    assert leased
    assert await store.jobs.delete_of(job.owner) == 0
