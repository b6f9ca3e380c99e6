import pytest

from scrapemaster.domain.request import fingerprint
from scrapemaster.domain.url import canonical_url

LONG = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        (f"http://e.com/a;jsessionid={LONG}", "http://e.com/a"),
        (f"http://e.com/a;jsessionid={LONG}.node1?b=1", "http://e.com/a?b=1"),
        ("http://e.com/(S(abcdefghijklmnopqrstuvwx))/a", "http://e.com/a"),
        (f"http://e.com/a?PHPSESSID={LONG}", "http://e.com/a"),
        (f"http://e.com/a?x=1&sid={LONG}&y=2", "http://e.com/a?x=1&y=2"),
        ("http://e.com/a?sid=42", "http://e.com/a?sid=42"),
        ("http://e.com/session/1", "http://e.com/session/1"),
        ("http://sid.e.com/?residents=all", "http://sid.e.com/?residents=all"),
    ],
)
def test_H20_session_ids_make_no_new_page(url, canonical):
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical
    assert fingerprint(url) == fingerprint(canonical)
