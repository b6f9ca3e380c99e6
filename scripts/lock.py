"""Pin all dependencies with hashes into requirements/, from what pyproject.toml declares."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPTIONS = "--quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate".split()


def compile_to(target: str, requirements: list[str]) -> None:
    """Resolve the requirements and write them with hashes."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "requirements.in"
        source.write_text("\n".join(requirements) + "\n")
        out = Path(folder) / target
        subprocess.run([sys.executable, "-m", "piptools", "compile", *OPTIONS, "-o", out, source], check=True)
        note = "# Made by `make lock` from pyproject.toml. Do not edit.\n"
        (ROOT / "requirements" / target).write_text(note + out.read_text())


def main() -> None:
    """Write all of them.

    core.txt (the least that runs), all.txt (with every extra), dev.txt (that and what developers need), and client.txt
    (the generator of clients, for an environment of its own).
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    core = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    everything = [*core, *(line for name, lines in extras.items() if name != "all" for line in lines)]
    compile_to("core.txt", core)
    compile_to("all.txt", everything)
    compile_to("dev.txt", [*everything, *project["dependency-groups"]["dev"]])
    compile_to("client.txt", project["dependency-groups"]["client"])


if __name__ == "__main__":
    main()
