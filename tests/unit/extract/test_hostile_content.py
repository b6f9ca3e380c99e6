"""Hostile bytes, each through the whole of a plan."""

import pytest

from scrapemaster.crawl.extraction import encode_item, work_on
from scrapemaster.domain.errors import GiveUpPage, InvalidSelector
from scrapemaster.extract.download import is_attachment, magic_of
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.extract.transforms import compile_transform


def items(body, kind="text/html", **selectors):
    plan = compile_plan(parse_selectors(selectors or {"t": "title::text"}))
    return work_on(plan, body, "http://site/", kind, links=True).items


def reason_of(body, kind, **selectors):
    """Why a page is refused; None if it is taken."""
    try:
        items(body, kind, **selectors)
    except GiveUpPage as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("body", "kind", "title"),
    [
        ("<title>é</title>".encode("latin-1"), "text/html; charset=utf-7", "é"),
        ("<title>é</title>".encode(), "text/html; charset=utf-7", "é"),
        (b"<meta charset=utf-7><title>+ADw-b+AD4-</title>", "text/html", "+ADw-b+AD4-"),
        ("<title>x</title>".encode("utf-16-le"), "text/html", "x"),
        ("<title>x</title>".encode("utf-16-be"), "text/html; charset=utf-8", "x"),
        ("<title>é</title>".encode("utf-16-le"), "text/html; charset=utf-16le", "é"),
        ("<title>é</title>".encode("utf-16"), "text/html; charset=latin-1", "é"),
        (b"<title>a\x00b</title>", "text/html", "ab"),
        (b"<title>\xff\xc3\xa9</title>", "text/html; charset=utf-8", "\ufffdé"),
        (b"<title>\xc3\xa9</title>\xe9", "text/html; charset=utf-8; charset=latin-1", "é"),
        (b"<title>\xe9</title>", "text/html; charset=nonsense", "é"),
        ("<title>語</title>".encode("shift_jis"), "text/html; charset=Shift_JIS", "語"),
        (b"<meta charset=latin-1><meta charset=utf-8><title>\xe9</title>", "text/html", "é"),
    ],
)
def test_H16_text_is_read_as_a_browser_would_read_it(body, kind, title):
    assert items(body, kind) == [encode_item({"t": title})]


@pytest.mark.parametrize(
    "kind", ["text/html", "application/xml", "application/json", "text/html; charset=utf-16", ""]
)
@pytest.mark.parametrize("body", [bytes(range(256)) * 20, b"\x00" * 10_000, b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80<p>", b"<?xml version='1.0' encoding='nope'?><a/>"])  # fmt: skip
def test_H16_any_bytes_are_read_or_refused_and_never_a_fault(body, kind):
    assert reason_of(body, kind) in {None, "bad_json", "bad_markup", "not_html"}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1, "a": 2}', b"2"),
        (b'{"a": 1e400}', None),
        (b'{"a": ' + b"9" * 5_000 + b"}", None),
        (b'{"a": -0.0}', b"-0.0"),
        (b'{"a": "\\ud800"}', None),
        (b'{"a": NaN}', None),
        (b'{"a": Infinity}', None),
        (b'{"a": ' + b'{"b":' * 100_000, None),
    ],
)
def test_H19_strange_json_is_taken_or_refused_and_never_a_fault(body, value):
    if value is None:
        assert reason_of(body, "application/json", a="$.a") in {None, "bad_json"}
    else:
        assert items(body, "application/json", a="$.a") == [b'{"a":' + value + b"}"]


@pytest.mark.parametrize("expression", ["$..*", "$..*..*", "$..[?@..a]"])
def test_H19_recursion_in_jsonpath_ends_on_deep_json(expression):
    body = b'{"a":' * 200 + b"1" + b"}" * 200

    items(body, "application/json", a={"selector": expression, "many": True})


def test_H18_external_entities_and_bombs_in_html_and_xml_are_not_expanded(tmp_path):
    (tmp_path / "secret").write_text("secret words")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "lol"}">' for n in range(12))
    entities = f'<!DOCTYPE r [{bomb}<!ENTITY x SYSTEM "file://{tmp_path}/secret"><!ENTITY % p SYSTEM "http://127.0.0.1:1/p">%p;]>'
    for kind in ("application/xml", "text/html"):
        found = b"".join(items(f"{entities}<r><title>&x;&e11;</title></r>".encode(), kind))
        assert b"secret words" not in found
        assert len(found) < 10_000


@pytest.mark.parametrize(
    "expression",
    ["{{7*7}}", "${7*7}", "__import__('os').system('true')", "regex:(?{code})", "xpath:system-property('xsl:vendor')",
     "xpath:document('/etc/passwd')", "$[?eval('1')]", "xpath:php:function('x')"],
)  # fmt: skip
def test_H27_no_selector_and_no_transform_is_code(expression):
    try:
        found = items(b"<title>x</title>", a=expression)
    except (GiveUpPage, InvalidSelector):
        return
    assert b"49" not in b"".join(found)


@pytest.mark.parametrize("name", ["eval:1+1", "exec:x", "lambda:x", "python:x", "format:{0.__class__}"])
def test_H27_transforms_are_a_fixed_list(name):
    with pytest.raises(ValueError, match="there is no transform"):
        compile_transform(name)


@pytest.mark.parametrize(
    "body",
    [b"%PDF-1.7", b"PK\x03\x04x", b"\x1f\x8b\x08x", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x00\x00\x00WAVE",
     b"\x00\x00\x00\x18ftypmp42", b"OggS\x00", b"\x7fELF", b"Rar!\x1a\x07\x00"],
)  # fmt: skip
def test_H24_files_are_known_by_what_they_begin_with(body):
    assert magic_of(body) is not None


@pytest.mark.parametrize("body", [b"", b"<html>", b"Riff", b"RIFFLE is a word", b"{}", b"PKware", b"\xef\xbb\xbf<p>", b"BZ", b"%", b"ID 3"])  # fmt: skip
def test_H24_documents_are_no_files(body):
    assert magic_of(body) is None


@pytest.mark.parametrize(
    ("disposition", "media", "file"),
    [
        ("attachment; filename=x.html", "text/html", True),
        ("ATTACHMENT", "text/html", True),
        ("form-data; name=x", "text/html", True),
        ("inline; filename=x.html", "text/html", False),
        ("", "text/html", False),
        ("attachment; filename=x.json", "application/json", False),
        ("attachment", "application/rss+xml", False),
    ],
)
def test_H24_what_is_sent_to_be_saved_is_a_file(disposition, media, file):
    assert is_attachment(disposition, media) is file
