"""What the dashboard's files are, and what they must not be."""

import re

import pytest

from scrapemaster.dashboard.files import ASSETS, Files

#: Bytes of all files together, as they go over the wire.
MOST = 300_000
OWN = [path for path in ASSETS.rglob("*.js") if "vendor" not in path.parts]
VENDORED = ["preact.js", "hooks.js", "htm.js"]
#: Ways in which text becomes markup or code.
FORBIDDEN = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc="


def test_everything_together_is_light():
    files = Files()

    sent = {
        name: len(file.packed or file.plain)
        for suffix in (".js", ".css", ".html", ".svg")
        for name in files.names(suffix)
        for file in [files.get(name)]
    }

    assert sum(sent.values()) < MOST


def test_the_version_names_the_contents(tmp_path):
    (tmp_path / "a.js").write_text("1")
    one = Files(tmp_path).version
    (tmp_path / "a.js").write_text("2")
    two = Files(tmp_path).version
    (tmp_path / "a.js").rename(tmp_path / "b.js")

    assert len({one, two, Files(tmp_path).version}) == 3


def test_files_that_are_not_for_browsers_are_not_served():
    assert Files().get("vendor/README.md") is None
    assert Files().get("../files.py") is None


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_H35_no_file_makes_markup_or_code_of_text(path):
    assert re.findall(FORBIDDEN, path.read_text()) == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_files_are_small_and_each_says_what_it_is(path):
    text = path.read_text()

    assert len(text.splitlines()) <= 300
    assert text.startswith("// ")


def test_nothing_is_loaded_from_elsewhere():
    for path in [*ASSETS.rglob("*.js"), *ASSETS.rglob("*.css"), *ASSETS.rglob("*.html")]:
        found = re.findall(
            r"""(?:from|import\(|src=|href=|url\()\s*["']?(https?:)?//[^"')]+""", path.read_text()
        )
        assert found == [], path.name


def test_what_others_made_is_recorded_with_its_licence():
    record = (ASSETS / "vendor" / "README.md").read_text()

    assert sorted(path.name for path in (ASSETS / "vendor").glob("*.js")) == sorted(VENDORED)
    assert all(f"`{name}`" in record for name in VENDORED)
    assert "MIT" in (ASSETS / "vendor" / "preact.LICENSE").read_text()
    assert "Apache" in (ASSETS / "vendor" / "htm.LICENSE").read_text()
