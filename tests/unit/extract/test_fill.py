from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.selector import names_of
from scrapemaster.extract.fill import Filled
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors


def fill(selectors, body, item=None):
    plan = compile_plan(parse_selectors(selectors), item)
    return plan.extract(plan.open(body.encode(), "http://site/", "text/html")).fill


def test_a_field_counts_in_each_item_where_it_has_a_value():
    body = "<li><b>1</b><i>x</i></li><li><b>2</b></li><li><b>3</b></li>"

    assert fill({"b": "b::text", "i": "i::text", "u": "u::text"}, body, "li") == {"b": 3, "i": 1}


def test_a_default_counts_as_no_value():
    assert fill({"a": {"selector": "i::text", "default": "none"}, "b": "b::text"}, "<b>x</b>") == {"b": 1}


def test_nested_fields_count_by_dotted_name_once_an_item():
    selectors = {"all": {"selector": "li", "many": True, "fields": {"b": "b::text", "i": "i::text"}}}

    assert fill(selectors, "<li><b>1</b></li><li><b>2</b></li>") == {"all": 1, "all.b": 1}
    assert list(names_of(parse_selectors(selectors))) == ["all", "all.b", "all.i"]


VALUES = st.one_of(
    st.none(), st.just(""), st.just([]), st.just({}), st.text(min_size=1), st.integers(), st.booleans()
)


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES})))
def test_no_field_counts_more_often_than_there_are_items(items):
    filled = Filled(parse_selectors({"a": "a", "b": "b"}))
    counts: dict[str, int] = {}
    for item in items:
        filled.count(item, counts)

    for name in ("a", "b"):
        assert counts.get(name, 0) == sum(item[name] not in (None, "", [], {}) for item in items)
