"""The page of all properties: a row each, links only to what this command wrote, sums that read as money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl.errors import ExitCode, UsageError
from etl.portfolio import page
from etl.portfolio.file import Property
from etl.portfolio.result import Result, document_of


def result(name: str, code: ExitCode, document: dict) -> Result:
    place = Property(name, name, (), Path("m"), f"{name}.sqlite", "", "C", "A", "", ())
    return Result(place, code, document, "run")


def test_a_row_each_and_no_link_to_an_older_report(tmp_path: Path) -> None:
    row = {"currency": "GBP", "basis": "gross", "source": "123456.78", "posted": "123456.78"}
    bath = result("bath", ExitCode.DONE, {"orders": {"posted": 7}, "totals": [row]})
    hull = result("hull <b>", ExitCode.MEWS, {"error": {"message": "Refused.", "hint": "Check `HULL`."}})
    for one in (bath, hull):
        (tmp_path / one.whose.folder).mkdir()
        (tmp_path / one.whose.folder / "report.html").write_text("")
    now = datetime.now(UTC) - timedelta(seconds=5)
    document = document_of("run", [bath, hull])
    text = page.write(page.open_folder(tmp_path), "run", document, [bath, hull], now).read_text("utf-8")
    assert 'href="bath/report.html"' in text
    assert "hull &lt;b&gt;" in text
    assert "<code>HULL</code>" in text
    assert text.count("123,456.78") == 4
    later = now + timedelta(hours=1)
    text = page.write(page.open_folder(tmp_path), "run", document, [bath, hull], later).read_text("utf-8")
    assert "href=" not in text


def test_somebody_elses_page_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match="would be replaced"):
        page.open_folder(tmp_path)


def test_plans_and_the_next_step_stand_on_the_page_and_empty_lines_of_the_bridge_do_not(tmp_path: Path) -> None:
    place = Property("bath", "bath", (), Path("m"), "bath.sqlite", "", "C", "A", "", ())
    planned = Result(place, ExitCode.DONE, {"orders": {}, "plan": "sha256:ab"}, "dry-run")
    document = document_of("dry-run", [planned])
    document["next"] = {"what": "review", "type": "centra-mews portfolio p.toml run --report run"}
    text = page.write(page.open_folder(tmp_path / "dry"), "dry-run", document, [planned], datetime.now(UTC)).read_text()
    assert "<code>expect = &#34;sha256:ab&#34;</code>" in text
    assert "<code>centra-mews portfolio p.toml run --report run</code>" in text
    amounts = {"source": "5.00", "blocked": "-2.00", "rejected": "0.00", "items in Mews": "0.00"}
    rows = [{"currency": "GBP", "basis": "gross", "line": line, "amount": amount} for line, amount in amounts.items()]
    read = Result(place, ExitCode.DONE, {"orders": {}, "bridge": rows}, "reconcile")
    document = document_of("reconcile", [read])
    text = page.write(page.open_folder(tmp_path / "rec"), "reconcile", document, [read], datetime.now(UTC)).read_text()
    bridge = text[text.index('id="bridge"') : text.index('id="properties"')]
    assert "locked" in bridge
    assert "ejected" not in bridge
    assert bridge.count("0.00") == 1
