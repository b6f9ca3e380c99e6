"""Databases that older versions wrote."""

import sqlite3

import pytest

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.ids import UserId, new_api_key_id
from scrapemaster.storage.sqlite.migrations import STEPS, _statements
from scrapemaster.storage.sqlite.store import SqliteStore


@pytest.mark.parametrize("version", range(1, len(STEPS)))
async def test_H49_an_older_database_is_brought_up_to_date_with_all_it_holds(tmp_path, version):
    path = tmp_path / "scrapemaster.db"
    connection = sqlite3.connect(path)
    for step in STEPS[:version]:
        for statement in _statements(step):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        "INSERT INTO users (id, name_key, username, password_hash, role, created_at, email, disabled, token_epoch) "
        "VALUES ('u1', 'ada', 'Ada', 'hash', 'admin', 5.0, NULL, 0, 3)"
    )
    connection.commit()
    connection.close()

    store = SqliteStore(path)
    await store.open()
    try:
        ada = await store.users.by_name("ada")
        assert (ada.id, ada.username, ada.token_epoch, ada.rate_limit) == ("u1", "Ada", 3, None)
        key = ApiKey(new_api_key_id(), UserId("u1"), "n", "h", "sm_abcd", "wxyz", 5.0)
        await store.api_keys.add(key, most=1)
        assert await store.api_keys.holder("h") == (key, ada)
    finally:
        await store.close()
