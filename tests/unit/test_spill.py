"""The temporary store: nothing of it outlives the process, and a disk that is full is a sentence."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from builders import a_context, a_line, a_mapping, an_order

from etl.errors import UsageError
from etl.pipeline.plan_store import PlanStore
from etl.reconcile.notebook import Amounts, Notebook, Page
from etl.spill import Spill, SpilledBytes
from etl.staging.spool import ParsedPart, Spool
from etl.transform.order import plan_order

ONE = Amounts(Decimal(1), Decimal(1))
TABLE = "CREATE TABLE one (id INTEGER PRIMARY KEY, content BLOB)"


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes meanwhile: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def fill_spill(folder: Path) -> None:
    """Rows until the disk is full."""
    with Spill("the test", TABLE, folder=folder) as spill:
        for number in range(100):
            spill.insert("INSERT INTO one VALUES (?, ?)", [(number, os.urandom(1 << 20))])


def sort_spill(folder: Path) -> None:
    """Sorting needs room of its own: the fault comes while rows are read."""
    with Spill("the test", TABLE, folder=folder) as spill:
        spill.insert("INSERT INTO one VALUES (?, ?)", ((number, os.urandom(1000)) for number in range(3000)))
        for _ in range(20):
            spill.execute("INSERT INTO one (content) SELECT content FROM one LIMIT 3000")
            list(spill.rows("SELECT content FROM one ORDER BY content"))


def fill_spool(folder: Path) -> None:
    """The rows of a large export."""
    spool = Spool(folder)
    try:
        for number in range(100):
            spool.add(str(number), ParsedPart(0, 0, os.urandom(1 << 20)))
        spool.seal()
    finally:
        spool.close()


def fill_bytes(folder: Path) -> None:
    """The rows of a large csv, as they stand."""
    kept = SpilledBytes("the test", folder)
    try:
        for _ in range(100):
            kept.add(os.urandom(1 << 20))
    finally:
        kept.close()


def fill_plan(folder: Path) -> None:
    """The plan of a large export."""
    ctx = a_context(a_mapping())
    order = plan_order(an_order(*(a_line("1.00", product=os.urandom(3000).hex()) for _ in range(20))), ctx)
    with PlanStore(folder) as store:
        store.fill(order for _ in range(5000))


def fill_notebook(folder: Path) -> None:
    """What millions of items look like when read back."""
    with Notebook(folder) as notebook:
        numbers = count()
        while True:
            page = Page()
            for number in range(5000):
                page.add(str(next(numbers)), 1, "order", "x" * 2000 + str(number), amounts=ONE, currency="GBP")
            notebook.see(page)


@pytest.mark.parametrize("fill", [fill_spill, sort_spill, fill_spool, fill_bytes, fill_plan, fill_notebook])
def test_a_full_disk_is_said(fill: Callable[[Path], None], tmp_path: Path) -> None:
    """Exit code 2 and what to do, in every place that spills: it ended as an internal error in two of three."""
    with small_disk(8 << 20), pytest.raises(UsageError) as caught:
        fill(tmp_path)
    assert caught.value.code == "spill.unusable"
    assert str(tmp_path) in caught.value.message
    assert "TMPDIR" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """The plan store, too, ended with a traceback there."""
    with pytest.raises(UsageError) as caught:
        PlanStore(tmp_path / "nowhere")
    assert caught.value.code == "spill.unusable"


def test_no_folder_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with a read-only file system has no temporary folder."""

    def nowhere(**_: object) -> tuple[int, str]:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.mkstemp", nowhere)
    with pytest.raises(UsageError) as caught:
        Spill("the test")
    assert "No usable temporary directory" in caught.value.message


@pytest.mark.parametrize("what", ["Spool", "PlanStore", "Notebook"])
def test_a_killed_process_leaves_nothing(what: str, tmp_path: Path) -> None:
    """People's names and addresses must not stay in the temporary folder."""
    script = (
        "import os, signal; from etl.staging.spool import Spool; from etl.pipeline.plan_store import PlanStore; "
        f"from etl.reconcile.notebook import Notebook; from pathlib import Path; one = {what}(Path('.')); "
        "print(os.listdir('.'), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name can't be removed at once, the mode still keeps others out."""
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_more: (_ for _ in ()).throw(PermissionError()))
    Spill("the test", TABLE, folder=tmp_path).close()
    (left,) = tmp_path.iterdir()
    assert left.stat().st_mode & 0o777 == 0o600


def test_what_was_stored_comes_back(tmp_path: Path) -> None:
    """Streamed, by the first row, and by one value."""
    with Spill("the test", TABLE, folder=tmp_path) as spill:
        spill.insert("INSERT INTO one VALUES (?, ?)", ((number, b"x" * number) for number in range(3)))
        assert list(spill.rows("SELECT id, content FROM one ORDER BY id")) == [(0, b""), (1, b"x"), (2, b"xx")]
        assert spill.row("SELECT content FROM one WHERE id = ?", (2,)) == (b"xx",)
        assert spill.scalar("SELECT count(*) FROM one") == 3
        assert spill.row("SELECT id FROM one WHERE id = 9") is None


def test_a_wrong_statement_is_our_fault(tmp_path: Path) -> None:
    """No room on a disk would mend it."""
    with Spill("the test", TABLE, folder=tmp_path) as spill:
        spill.execute("INSERT INTO one VALUES (1, '')")
        with pytest.raises(Exception, match="UNIQUE"):
            spill.execute("INSERT INTO one VALUES (1, '')")


def test_rows_that_were_left_off_may_be_let_go_after_the_store_is_closed(tmp_path: Path) -> None:
    """A fault in the middle of them closes the store first; nothing is complained of then."""
    store = Spill("rows", TABLE, folder=tmp_path)
    store.insert("INSERT INTO one (content) VALUES (?)", [(b"1",), (b"2",)])
    rows = store.rows("SELECT content FROM one")
    assert next(rows) == (b"1",)
    store.close()
    del rows
    gc.collect()
