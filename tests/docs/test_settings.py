"""Every setting is in the guide as the code has it, and no other is named."""

import re
import sys
from pathlib import Path

from scrapemaster.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from settings_table import GUIDE, with_table  # noqa: E402 -- found by the line before


def test_the_table_of_settings_is_what_the_settings_say():
    text = GUIDE.read_text()

    assert text == with_table(text), "run `make docs`"


def test_no_setting_is_named_that_does_not_exist():
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for guide in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", guide.read_text()):
            assert name in known, f"{guide.name} names {name}"
