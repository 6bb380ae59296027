"""The ledger's views: plain names for people with a database browser or a notebook. Reading only; nothing of ours needs them.

docs/data.md describes each column; `tests/unit/load/test_views.py` keeps both equal. A later step that changes a table
named here drops the views first and creates them again.
"""

from __future__ import annotations

from sqlalchemy import Connection

_ORDERS = """
SELECT number AS order_number, state, generation, mews_order_id, currency, basis, source_total, planned_total, rounding,
    month, consumption AS consumed_utc, true_consumption AS original_utc, is_clamped AS clamped,
    account_id, line_count AS lines, codes AS problem_codes, message, request_id AS mews_request_id, skip_reason,
    changed, plan_run_id AS planned_by_run, posted_run_id AS posted_by_run, updated_at AS updated_utc
FROM orders
"""
_ATTEMPTS = """
SELECT number AS order_number, part, generation, seq AS attempt, run_id, identifier, marker, account_id,
    consumption AS consumed_utc, sent_at AS sent_utc, finished_at AS answered_utc, outcome, status AS http_status,
    message, request_id AS mews_request_id, mews_id, payload, predicted
FROM attempts
"""
COLUMNS = {
    "v_orders": (
        *("order_number", "state", "generation", "mews_order_id", "currency", "basis", "source_total", "planned_total"),
        *("rounding", "month", "consumed_utc", "original_utc", "clamped", "account_id", "lines", "problem_codes"),
        *("message", "mews_request_id", "skip_reason", "changed", "planned_by_run", "posted_by_run", "updated_utc"),
    ),
    "v_attempts": (
        *("order_number", "generation", "part", "attempt", "run_id", "identifier", "marker", "account_id"),
        *(
            "consumed_utc",
            "sent_utc",
            "answered_utc",
            "outcome",
            "http_status",
            "message",
            "mews_request_id",
            "mews_id",
        ),
        *("payload", "predicted"),
    ),
    "v_problems": (
        *("order_number", "state", "severity", "code", "file", "sheet", "file_row", "file_column", "value", "message"),
        "hint",
    ),
}
"""The views and their columns."""
_PROBLEMS = {
    "sqlite": """
SELECT number AS order_number, state, json_extract(one.value, '$[6]') AS severity, json_extract(one.value, '$[0]') AS code,
    json_extract(one.value, '$[2][0]') AS file, json_extract(one.value, '$[2][1]') AS sheet,
    json_extract(one.value, '$[2][2]') AS file_row, json_extract(one.value, '$[2][3]') AS file_column,
    json_extract(one.value, '$[3]') AS value, json_extract(one.value, '$[4]') AS message,
    json_extract(one.value, '$[5]') AS hint
FROM orders, json_each(CASE problems WHEN '' THEN '[]' ELSE problems END) AS one
UNION ALL
SELECT number, state, 'error', code, '', '', NULL, '', '', message, '' FROM orders
WHERE code <> '' AND state IN ('rejected', 'unknown', 'different', 'blocked')
""",
    "postgresql": """
SELECT number AS order_number, state, one.value ->> 6 AS severity, one.value ->> 0 AS code,
    one.value -> 2 ->> 0 AS file, one.value -> 2 ->> 1 AS sheet,
    CAST(one.value -> 2 ->> 2 AS INTEGER) AS file_row, one.value -> 2 ->> 3 AS file_column,
    one.value ->> 3 AS value, one.value ->> 4 AS message, one.value ->> 5 AS hint
FROM orders, json_array_elements(
    CAST(CASE problems WHEN '' THEN '[]' ELSE replace(problems, '\\u0000', '\\ufffd') END AS json)
) AS one(value)
UNION ALL
SELECT number, state, 'error', code, '', '', NULL, '', '', message, '' FROM orders
WHERE code <> '' AND state IN ('rejected', 'unknown', 'different', 'blocked')
""",
}


def create_views(connection: Connection) -> None:
    """`v_orders`, `v_attempts`, `v_problems`. Effects: writes within the caller's transaction."""
    problems = _PROBLEMS.get(connection.dialect.name)
    drop_views(connection)
    for name, query in (("v_orders", _ORDERS), ("v_attempts", _ATTEMPTS), ("v_problems", problems)):
        if query is not None:
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def drop_views(connection: Connection) -> None:
    """Takes the views away, so that the tables below them can change. Effects: as `create_views`."""
    for name in COLUMNS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
