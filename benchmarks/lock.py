"""Writes requirements.lock: every package of pyproject.toml (with the dev extra) at one exact version.

Resolves into an empty environment, so that nothing installed by hand gets in. No index address is written.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Exact versions of everything that the project runs, tests and builds with. Written by `make lock`.\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "-q", f"{ROOT}[dev]", "setuptools>=80", "wheel"], check=True)
        frozen = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze", "--exclude", "centra-mews", "--exclude", "pip"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    lines = sorted(frozen.split(), key=str.lower)
    (ROOT / "requirements.lock").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
