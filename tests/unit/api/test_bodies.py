from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scrapemaster.api.identify import credential_of
from scrapemaster.api.schemas.base import DEEPEST, deeper_than
from scrapemaster.api.schemas.jobs import JobBody
from scrapemaster.domain.errors import NotAuthenticated

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def depth(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


@given(JSON, st.integers(0, 6))
def test_depth_is_that_of_lists_and_objects(value, levels):
    assert deeper_than(value, levels) == (depth(value) > levels)


def test_H31_a_body_is_nested_so_deep_and_no_deeper():
    def order(levels):
        return {"url": "http://a/", "meta": {"a": reduce(lambda inner, _: [inner], range(levels), 1)}}

    JobBody.model_validate(order(DEEPEST - 2))
    for levels in (DEEPEST - 1, 100_000):
        with pytest.raises(ValidationError, match="nested deeper"):
            JobBody.model_validate(order(levels))


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([(b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"bearer  abc ")], "abc"),
        ([(b"x-api-key", b"sm_1")], "sm_1"),
        ([(b"x-api-key", b"sm_1"), (b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"Basic abc"), (b"x-api-key", b"sm_1")], "sm_1"),
        ([(b"x-api-key", b"sm_\xff")], "sm_ÿ"),
        ([], None),
        ([(b"authorization", b"Bearer ")], None),
        ([(b"authorization", b"Basic abc")], None),
        ([(b"x-api-key", b" ")], None),
    ],
)
def test_a_credential_is_a_bearer_or_a_key(headers, credential):
    if credential is None:
        with pytest.raises(NotAuthenticated):
            credential_of(headers)
    else:
        assert credential_of(headers) == credential
