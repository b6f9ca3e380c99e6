"""The address of MongoDB among the settings."""

import sys

import pytest

from scrapemaster.domain.errors import InvalidSetting, MissingExtra
from scrapemaster.settings import load_settings, settings_environment
from scrapemaster.stores import open_store


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://db.example",
        "mongodb://db.example:27017/",
        "mongodb://db.example/crawls",
        "mongodb://ada:p%40ss%2Fword@one:27017,two:27018/crawls?replicaSet=rs0&tls=true",
        "mongodb://[::1]:27017/crawls",
        "mongodb+srv://ada:secret@cluster.example/?retryWrites=true",
    ],
)
def test_addresses_of_mongodb_are_taken(url):
    assert load_settings(mongodb_url=url).mongodb_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://db.example/secret1",
        "db.example/secret1",
        "mongodb://",
        "mongodb:///secret1",
        "mongodb://ada:sec/ret1@db.example/x",
        "mongodb://ada:sec@ret1@db.example/x",
        "mongodb://db.example/a.b$secret1",
        "mongodb://db.example/secret1/more",
        "mongodb://db.example/secret1 x",
        "",
    ],
)
def test_others_are_refused_with_a_sentence_that_does_not_repeat_them(url):
    with pytest.raises(InvalidSetting, match="SCRAPEMASTER_MONGODB_URL: must be like mongodb://") as raised:
        load_settings(mongodb_url=url)

    assert "ret1" not in str(raised.value)


def test_the_address_is_handed_down_by_the_environment_alone():
    settings = load_settings(mongodb_url="mongodb://ada:hunter2@db.example/x")

    assert "hunter2" not in repr(settings)
    assert "SCRAPEMASTER_MONGODB_URL" not in settings_environment(settings)


async def test_a_missing_driver_is_said_with_the_command(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("scrapemaster.storage.mongo")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pymongo", None)
    settings = load_settings(data_dir=tmp_path, mongodb_url="mongodb://db.example/x")

    with pytest.raises(MissingExtra, match=r"pip install 'scrapemaster\[mongo\]'"):
        async with open_store(settings):
            pass
