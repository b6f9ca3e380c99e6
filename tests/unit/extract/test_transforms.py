import pytest

from scrapemaster.extract.transforms import PLAIN, compile_transform


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("strip", "  a ", "a"),
        ("squeeze", " a \n b ", "a b"),
        ("lower", "ÄB", "äb"),
        ("number", "1,234.5 pieces", 1234.5),
        ("number", "1.234,5", 1234.5),
        ("number", "42", 42),
        ("number", "-3.5 °C", -3.5),
        ("number", "none", None),
        ("integer", "about 7.9", 7),
        ("price", "€ 1 299,00", 1299.0),
        ("price", "free", 0.0),
        ("currency", "USD 5", "USD"),
        ("date", "2024-02-29", "2024-02-29T00:00:00"),
        ("date", "March 3, 2024 14:05", "2024-03-03T14:05:00"),
        ("date", "no date at all", None),
        ("date", "x" * 10_000, None),
        ("boolean", "Yes", True),
        ("boolean", "sold out", False),
        ("boolean", "maybe", None),
        ("text", "<b>a&amp;b</b>\n<i>c</i>", "a&b c"),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", "{", None),
        ("url", " ../x ", "http://site/x"),
        ("url", "javascript:1", None),
        ("regex:(\\d+)", "a12b", "12"),
        ("regex:\\d+", "none", None),
        ("split:,", "a, b", ["a", "b"]),
        ("remove:kg", "5 kg", "5 "),
    ],
)
def test_a_transform_gives(name, value, expected):
    got = compile_transform(name)(value, "http://site/dir/")
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("value", ["", "\x00", "9" * 10_000, "💥" * 100, None, "-", "€", "1" + "0" * 400])
def test_no_text_breaks_a_transform(name, value):
    compile_transform(name)(value, "http://site/")


@pytest.mark.parametrize("name", ["nope", "regex:", "regex:(", "split:", ""])
def test_an_unknown_transform_is_said(name):
    with pytest.raises(ValueError, match="there is no transform|does not compile"):
        compile_transform(name)
