"""The table of reason codes in the documentation is whole."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where a reason is written down: raised, given to a barrier or rule, or in the tables of those that share a sentence.
RAISED = re.compile(
    r"""(?:RetryPage|GiveUpPage|PageError|Barrier|Refused)\(\s*"([a-z_]+)"|\breason(?:\s*=|,\s*detail\s*=\s*\w+,)\s*"([a-z_]+)"|"""
    r"""\), (?:True|False), "([a-z_]+)",|Verdict\.SKIPPED, "([a-z_]+)"|_translated\(error, "([a-z_]+)"|"""
    r"""^_BLOCKED, _CHALLENGE = "(\w+)", "(\w+)"|"""
    r"""^\s*"([a-z_]+)", f?"(?:redirected|more than)""",
    re.MULTILINE,
)


def test_every_reason_code_of_the_source_is_in_the_table():
    documented = set(
        re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs/data-quality.md").read_text(), re.MULTILINE)
    )
    source = "\n".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    raised = {code for groups in RAISED.findall(source) for code in groups if code}

    assert {"timeout", "blocked", "poison", "duplicate", "extract_timeout", "connection_reset"} <= raised
    assert raised <= documented, sorted(raised - documented)
    assert documented - raised <= {"internal_error"}, sorted(documented - raised)
