import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.extract.encoding import decode

META = '<meta charset="{}">'


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ("é".encode(), "", "é"),
        ("é".encode("latin-1"), "", "é"),
        ("é€".encode("cp1252"), "text/html; charset=iso-8859-1", "é€"),
        (b"\xef\xbb\xbf" + "é".encode(), "text/html; charset=latin-1", "é"),
        ("é".encode("utf-16"), "", "é"),
        ("é".encode("utf-16-le"), "text/html; charset=utf-16le", "é"),
        ("日本".encode("shift_jis"), "text/html; charset=Shift_JIS", "日本"),
        ("日本".encode("euc-jp"), "text/html; charset='EUC-JP'; x=y", "日本"),
        (META.format("windows-1251").encode() + "да".encode("cp1251"), "", META.format("windows-1251") + "да"),
        (META.format("utf-16").encode() + "é".encode(), "", META.format("utf-16") + "é"),
        (META.format("utf-7").encode() + b"+AGE-", "", META.format("utf-7") + "+AGE-"),
        (META.format("windows-1251").encode() + "é".encode(), "text/html; charset=utf-8", META.format("windows-1251") + "é"),
        (b"<!--" + META.format("koi8-r").encode() + b"-->" + "é".encode(), "", "<!--" + META.format("koi8-r") + "-->é"),
        (b"a\xff\xfeb", "text/html; charset=utf-8", "a\ufffd\ufffdb"),
        (b"a\x80\x81", "text/html; charset=nonsense", "a€\ufffd"),
        (b'<?xml version="1.0" encoding="iso-8859-2"?>\xb1', "", '<?xml version="1.0" encoding="iso-8859-2"?>ą'),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=big5">' + "中".encode("big5"), "",
         '<meta http-equiv="Content-Type" content="text/html; charset=big5">中'),
        (b"", "text/html; charset=", ""),
    ],
)  # fmt: skip
def test_H16_text_is_read_as_a_browser_reads_it(body, header, expected):
    assert decode(body, header) == expected


@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["", "utf-8", "utf-16", "gbk", "x-user-defined", "iso-2022-jp", "replacement", "hz-gb-2312"]
    ),
)
def test_H16_no_bytes_raise(body, charset):
    decode(body, f"text/html; charset={charset}").encode("utf-8")
