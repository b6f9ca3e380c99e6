import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from scrapemaster.delivery.signature import signed_headers
from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.webhook import new_secret, secret_key

#: The vector of the Standard Webhooks reference implementations.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_published_vector_comes_out():
    headers = signed_headers(MESSAGE, b'{"test": 2432232314}', [SECRET], now=1_614_265_330.9)

    assert headers == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.dictionaries(st.text(), st.integers()))
def test_the_library_of_the_standard_accepts_every_message(data):
    body = json.dumps(data).encode()
    secret = new_secret()

    headers = signed_headers(MESSAGE, body, [secret], now=time.time())

    assert Webhook(secret).verify(body, headers) == data
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_while_a_secret_is_replaced_both_the_old_and_the_new_one_verify():
    new, old = new_secret(), new_secret()

    headers = signed_headers(MESSAGE, b"{}", [new, old], now=time.time())

    assert len(headers["webhook-signature"].split()) == 2
    for secret in (new, old):
        assert Webhook(secret).verify(b"{}", headers) == {}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_ü", "whsec_" + "A" * 88]
)  # fmt: skip
def test_what_is_no_secret_is_refused_with_a_sentence(secret):
    with pytest.raises(InvalidInput, match="base64 of 24 to 64 random bytes"):
        secret_key(secret)


def test_secrets_are_random_and_of_the_standards_size():
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert {len(secret_key(secret)) for secret in made} == {32}
