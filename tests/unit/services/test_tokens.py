"""Tokens that are read again and again."""

import pytest

from scrapemaster.domain.errors import NotAuthenticated
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import Role, User
from scrapemaster.services import tokens as tokens_module
from scrapemaster.services.tokens import Tokens

KEY = "k" * 64


def account():
    return User(
        id=UserId("ann"), username="ann", email=None, password_hash="", role=Role.USER, created_at=1_000.0
    )


def test_a_token_that_was_read_before_ends_when_it_says(monkeypatch):
    now = tokens_module.time.time()
    tokens = Tokens(KEY, seconds=60)
    text = tokens.make(account())
    assert tokens.read(text) == tokens.read(text)
    for later, good in ((64, True), (66, False)):
        monkeypatch.setattr(tokens_module.time, "time", lambda later=later: now + later)
        if good:
            assert tokens.read(text).user_id == "ann"
        else:
            with pytest.raises(NotAuthenticated):
                tokens.read(text)


def test_a_token_like_one_that_was_read_is_refused():
    tokens = Tokens(KEY, seconds=60)
    text = tokens.make(account())
    tokens.read(text)
    for forged in (
        text[:-2] + ("AA" if text[-2:] != "AA" else "BB"),
        Tokens("x" * 64, 60).make(account()),
    ):
        for _ in range(2):
            with pytest.raises(NotAuthenticated):
                tokens.read(forged)


def test_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(tokens_module, "_KNOWN_MOST", 3)
    tokens = Tokens(KEY, seconds=60)
    texts = [tokens.make(account()) for _ in range(5)]
    for text in texts * 2:
        tokens.read(text)
        assert len(tokens._known) <= 3
