import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.export.names import content_disposition, file_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("The Tree", "The-Tree"),
        ('a"b', "a-b"),
        ("a\r\nSet-Cookie: b=c", "a-Set-Cookie-b-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\x00b\x1b[31m", "a-b-31m"),
        ("\u202egpj.exe", "gpj.exe"),
        (".hidden", "hidden"),
        ("-rf *", "rf"),
        ("nul", "_nul"),
        ("COM1.txt", "_COM1.txt"),
        ("Größe 10€", "Größe-10€"),
        ("日本語", "日本語"),
        ("", "job"),
        ("...", "job"),
        (None, "job"),
        ("x" * 500, "x" * 80),
    ],
)
def test_H34_a_job_name_becomes_a_file_name_that_harms_nobody(name, stem):
    assert file_stem(name, "job") == stem


def test_H34_names_beyond_ascii_are_sent_as_rfc_6266_says():
    assert content_disposition("a", "csv") == 'attachment; filename="a.csv"'
    assert content_disposition("Größe", "csv") == (
        "attachment; filename=\"Groe.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv"
    )
    assert content_disposition("日本", "csv") == (
        "attachment; filename=\"export.csv\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.csv"
    )


@given(st.text())
def test_H34_any_name_gives_a_header_and_a_file_in_no_folder(name):
    stem = file_stem(name, "job")
    header = content_disposition(stem, "csv")

    assert header.isascii()
    assert header.isprintable()
    found = re.fullmatch(r"""attachment; filename="([^"\\/]+)"(?:; filename\*=UTF-8''([^"\\/;]+))?""", header)
    assert found
    for part in (found[1], unquote(found[2] or "x")):
        assert not part.startswith((".", "-"))
        assert not set(part) & set('\\/:*?"<>|')
