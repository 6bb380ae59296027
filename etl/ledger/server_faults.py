"""What goes wrong with a ledger's database server, in words for people with what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from etl.errors import LedgerError
from etl.ledger.records import DAMAGED_HINT

_AGAIN = "then run the same command again: what was under way is looked up in Mews first, and nothing is sent twice."


@dataclass(frozen=True, slots=True)
class _Fault:
    """`states`: beginnings of SQLSTATE; `signs`: words of the driver, which tells no state of what fails on the way."""

    code: str
    what: str
    hint: str
    states: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()


_FAULTS = (
    _Fault(
        "ledger.refused",
        "the server refuses the login",
        "Check user and password of --ledger (PGPASSWORD and ~/.pgpass may hold the password), and the server's "
        "pg_hba.conf.",
        ("28",),
        ("authentication failed", "no password supplied", "pg_hba.conf", 'role "', "password"),
    ),
    _Fault(
        "ledger.missing",
        "there is no such database",
        "Name the right database with --ledger, or make an empty one with `createdb`.",
        ("3D000",),
        ("does not exist",),
    ),
    _Fault(
        "ledger.read_only",
        "the server takes no changes",
        f"Name the primary server rather than a copy, or make the database writable, {_AGAIN}",
        ("25006",),
    ),
    _Fault(
        "ledger.read_only",
        "this login may not write there",
        f"Let its owner GRANT it the database's tables, or log in as the owner, {_AGAIN}",
        ("42501",),
    ),
    _Fault("ledger.disk_full", "the server's disk is full", f"Free some space there, {_AGAIN}", ("53100",)),
    _Fault(
        "ledger.busy",
        "the server has no connection left",
        f"Wait for other programs, or raise max_connections, {_AGAIN}",
        ("53300",),
        ("too many clients", "remaining connection slots", "too many connections"),
    ),
    _Fault(
        "ledger.busy",
        "another command keeps it busy",
        "Wait for the other command, then run again.",
        ("55P03", "40P01", "40001"),
    ),
    _Fault("ledger.corrupt", "the database is damaged", DAMAGED_HINT, ("XX001", "XX002", "42P01", "42703")),
    _Fault(
        "ledger.unreachable",
        "the server can't be reached",
        f"Start the server, or check host, port and network, {_AGAIN}",
        ("08", "57P", "25P03", "XX000"),
        (
            "connection failed",
            "connection refused",
            "timeout expired",
            "no answer within",
            "server closed the connection",
            "could not translate host name",
            "name or service not known",
            "failed to resolve host",
            "connection is bad",
            "the connection is closed",
            "the connection is lost",
            "consuming input failed",
            "sending query",
            "connection socket closed",
            "network is unreachable",
            "no route to host",
            "no such file or directory",
            "starting up",
            "shutting down",
        ),
    ),
)


def server_fault(where: str, error: BaseException) -> LedgerError:
    """The error of a server as one for people. `where`: the URL as it may be shown."""
    state = str(getattr(error, "sqlstate", "") or "")
    text = _first_line(str(error))
    lower = text.lower()
    for fault in _FAULTS:
        is_it = state.startswith(fault.states) if state else any(sign in lower for sign in fault.signs)
        if is_it and (fault.states or not state):
            return LedgerError(
                f"the ledger {where} can't be used: {fault.what} ({text})", code=fault.code, hint=fault.hint
            )
    return LedgerError(
        f"the ledger {where} can't be used: {text}",
        code="ledger.unusable",
        hint="Make sure that the database can be read and written, then run the same command again.",
    )


def _first_line(text: str) -> str:
    """The server's own words, without the statement and its values, which are people's data."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("DETAIL", "CONTEXT", "LINE", "QUERY", "STATEMENT", "^"))]
    return "; ".join(kept[:2]) or type(text).__name__
