"""Where a ledger is, as people may read it. Pure.

`--ledger` is a path or a URL of SQLAlchemy (design section 2). A URL may hold a password; what is shown, logged or
written into a report never does (design section 7.9).
"""

from __future__ import annotations


def shown(ledger: str) -> str:
    """A path as it is; a URL of a server as driver, user, host and database: neither password nor options.

    A URL of a file is shown whole.
    """
    if not is_server(ledger):
        return ledger
    scheme, _, rest = ledger.partition("://")
    # A password may hold anything but @ itself: what follows the last one is the place, which options follow.
    login, _, place = rest.rpartition("@")
    user = login.partition(":")[0]
    return f"{scheme}://{f'{user}@' if user else ''}{place.partition('?')[0]}"


def is_server(ledger: str) -> bool:
    """Whether it is a database on a server rather than a file."""
    return "://" in ledger and ledger.partition("://")[0].partition("+")[0] != "sqlite"
