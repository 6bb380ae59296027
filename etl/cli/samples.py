"""The invented shop that the package carries: sample exports and the mapping folder that fits them."""

from __future__ import annotations

import shutil
from pathlib import Path

from etl.errors import UsageError

EXPORTS = "sample_data"
MAPPINGS = "mappings"
_PACKAGE = Path(__file__).parents[1]
# In a wheel they lie below the package (pyproject maps them there); a work tree or an editable installation has
# them at the top of the repository, where there is one copy only.
_PLACES = {
    EXPORTS: (_PACKAGE / "samples", _PACKAGE.parent / "sample_data"),
    MAPPINGS: (_PACKAGE / "samples" / "mappings", _PACKAGE.parent / "mappings"),
}
_LEFT_OUT = {".py", ".pyc"}


def lay_out(folder: Path) -> list[Path]:
    """Copies the sample exports and their mapping folder into `folder`, and gives the new files.

    Raises UsageError where the package came without them, which only a broken installation does.
    """
    made = []
    for name in (EXPORTS, MAPPINGS):
        target = folder / name
        target.mkdir(parents=True)
        for source in sorted(_files(name)):
            made.append(target / source.name)
            shutil.copyfile(source, made[-1])
    return made


def _files(name: str) -> list[Path]:
    for place in _PLACES[name]:
        files = [path for path in place.glob("*") if path.is_file() and path.suffix not in _LEFT_OUT]
        if files:
            return files
    raise UsageError(
        f"This installation carries no {name}.",
        code="demo.no_samples",
        hint="Install the package again: pip install --force-reinstall centra-mews",
    )
