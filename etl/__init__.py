"""centra-mews: migrates historic Centra orders into Mews.

`plan`, `run` and `reconcile` do what the commands do, for programs; `etl.frames` has the ledger as pandas DataFrames.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.api import Outcome, plan, reconcile, run

__all__ = ["Outcome", "plan", "reconcile", "run"]


def __getattr__(name: str) -> Any:
    """The names of `etl.api`, imported when they are asked for: `--help` needs none of them."""
    if name in __all__:
        return getattr(import_module("etl.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
