import re

from scrapemaster.domain.api_key import hash_key, new_key, shown_parts


def test_keys_have_256_random_bits_and_show_little_of_themselves():
    keys = {new_key() for _ in range(1_000)}

    assert len(keys) == 1_000
    for key in keys:
        assert re.fullmatch(r"sm_[A-Za-z0-9_-]{43}", key)
        prefix, last4 = shown_parts(key)
        assert (len(prefix), len(last4)) == (7, 4)
        assert key.startswith(prefix)
        assert key.endswith(last4)
        assert key not in hash_key(key)


def test_a_hash_is_the_same_each_time_and_takes_any_text():
    assert hash_key("sm_a") == hash_key("sm_a") != hash_key("sm_b")
    assert hash_key("sm_\ud800")
