"""What somebody keeps or brings back: a whole ledger copied, be it a file or, with --postgres, a database."""

from __future__ import annotations

import shutil
from pathlib import Path


def copy_ledger(source: Path, target: Path) -> None:
    """The ledger of one path under another, in the place of what was there. Nobody may have it open."""
    if source.exists():
        shutil.copyfile(source, target)
        return
    import pg_cluster

    pg_cluster.cluster().copy(str(source), str(target))
