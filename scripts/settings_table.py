"""Write the table of all settings into docs/deployment.md, from what the settings say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from scrapemaster.settings import PREFIX, Settings

GUIDE = Path(__file__).parent.parent / "docs" / "deployment.md"
_BETWEEN = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """One row for each setting: name, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is None or default == () or default is PydanticUndefined:
            shown = "—"
        else:
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{f'{PREFIX}{name}'.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """The guide with the table as it should be."""
    return _BETWEEN.sub(lambda match: f"{match[1]}{settings_table()}\n{match[2]}", text)


if __name__ == "__main__":
    GUIDE.write_text(with_table(GUIDE.read_text()))
