"""The guide to transforms says what they do, and names all of them."""

import json
import re
from pathlib import Path

import pytest

from scrapemaster.extract.transforms import PLAIN, compile_transform

GUIDE = (Path(__file__).parents[2] / "docs" / "selectors.md").read_text()
TABLE = GUIDE.partition("## Transforms")[2].partition("\nA value")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("| `")
]
CODE = re.compile(r"`([^`]+)`")


def examples():
    for names, _, given, wanted in ROWS:
        name = CODE.findall(names)[0]
        name = "upper" if "upper" in names else name
        parts = CODE.findall(given)
        yield parts[1] if len(parts) > 1 else name, json.loads(parts[0]), json.loads(CODE.findall(wanted)[0])


@pytest.mark.parametrize(("name", "given", "wanted"), list(examples()))
def test_a_transform_does_what_the_guide_says(name, given, wanted):
    assert compile_transform(name)(given, "https://example.com/shop/") == wanted


def test_the_guide_names_every_transform():
    named = {name for row in ROWS for name in CODE.findall(row[0])}

    assert named == {*PLAIN, "regex:PATTERN", "split:SEPARATOR", "remove:TEXT"}
