"""A full disk behind a redirect, a closed stream, a path that no system takes: a sentence, and never the work's end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXPORT = (
    "orderNumber,orderDate,currency,deliveryAddress.country,orderTotal,products.sku,products.qty,"
    "products.unitPrice,products.vatPercent\n1,2011-03-05,GBP,GB,4.25,A,1,4.25,20\n"
)


def shell(folder: Path, tail: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """`centra-mews ARGUMENTS tail`, as a shell reads it."""
    quoted = " ".join(f"'{argument}'" for argument in arguments)
    return subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m etl {quoted} {tail}"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MEWS", "CENTRA"))},
        capture_output=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(EXPORT, encoding="utf-8")
    return tmp_path


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@needs_full
def test_a_full_disk_behind_the_document_is_said(folder: Path) -> None:
    """The work is done and recorded; only its document found no room."""
    done = shell(folder, ">/dev/full", "--json", "inspect", "orders.csv")
    assert done.returncode == 2
    assert b"can't be written to standard output" in done.stderr
    assert b"Traceback" not in done.stderr


@needs_full
@pytest.mark.parametrize("tail", ["2>/dev/full", "2>&-", ">&-"])
def test_people_who_do_not_listen_stop_nothing(folder: Path, tail: str) -> None:
    """A run at night with its log on a full disk ended in the middle, with exit code 1."""
    assert shell(folder, tail, "inspect", "orders.csv").returncode == 0
    done = shell(folder, tail, "--json", "inspect", "orders.csv")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert done.stdout.startswith(b"{") or tail == ">&-"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mappings", "x" * 5000, "dry-run", "orders.csv", "--offline"),
        ("--ledger", "x" * 5000, "status"),
        ("inspect", "x" * 5000),
        ("--ledger", "loop", "status"),
        ("inspect", "loop"),
        ("--mappings", "loop", "dry-run", "orders.csv", "--offline"),
    ],
    ids=["long mappings", "long ledger", "long export", "loop ledger", "loop export", "loop mappings"],
)
def test_paths_that_no_system_takes(folder: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2 and a sentence of bearable length."""
    (folder / "loop").symlink_to("loop")
    done = shell(folder, "", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(b"Error: ")
    assert len(done.stderr) < 12_000


def test_a_name_that_is_no_text(folder: Path) -> None:
    """Old archives hold names in Latin-1; the report and the console show them with a mark."""
    odd = os.fsencode(folder) + b"/bestell\xfcng.csv"
    Path(os.fsdecode(odd)).write_text(EXPORT, encoding="utf-8")
    done = shell(folder, "", "--json", "inspect", os.fsdecode(b"bestell\xfcng.csv"))
    assert done.returncode == 0, done.stderr
    done.stdout.decode("utf-8")
