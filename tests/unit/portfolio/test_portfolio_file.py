"""PORTFOLIO.toml: what it says, and every fault of it by property and key, without a value that may be a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.portfolio.file import Property, read_portfolio, refuse_copies

BATH = '[[property]]\nname = "bath"\nexports = ["bath.csv"]\nmapping = "mappings/bath"\nledger = "bath.sqlite"\n'
DOVER = BATH.replace("bath", "dover")
SPA = (
    BATH.replace('"bath"', '"spa"').replace('"bath.sqlite"', '"spa.sqlite"').replace('["bath', '["other.csv", "./bath')
)


def read(folder: Path, text: str) -> tuple[Property, ...]:
    path = folder / "portfolio.toml"
    path.write_text(text, "utf-8")
    return read_portfolio(path)


def test_paths_start_at_the_file_and_tokens_are_names(tmp_path: Path) -> None:
    more = 'client_token_env = "DOVER_CLIENT"\nplatform_address = "https://api.mews.com"\nexpect = "sha256:ab"\n'
    bath, dover = read(tmp_path, BATH + DOVER + more + 'corrections = ["fixed.csv"]\n')
    assert bath.exports == (tmp_path / "bath.csv",)
    assert bath.mapping == tmp_path / "mappings" / "bath"
    assert bath.ledger == str(tmp_path / "bath.sqlite")
    assert (bath.client_token_env, bath.access_token_env) == ("MEWS_CLIENT_TOKEN", "MEWS_ACCESS_TOKEN")
    assert (bath.platform_address, bath.expect, bath.corrections) == ("", "", ())
    assert (dover.client_token_env, dover.platform_address) == ("DOVER_CLIENT", "https://api.mews.com")
    assert (dover.expect, dover.corrections) == ("sha256:ab", (tmp_path / "fixed.csv",))


def test_the_shared_example_is_read(shared: Path) -> None:
    bath, dover = read_portfolio(shared / "portfolio-example.toml")
    assert bath.access_token_env == "BATH_ACCESS_TOKEN"
    assert dover.ledger == "postgresql+psycopg://ledger.example/dover"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it lists no property"),
        ("[property]\nname = 'x'\n", "headed [[property]]"),
        ("[[propety]]\nname = 'x'\n", "Did you mean property?"),
        ("name = \n", "line 1"),
        (BATH + 'export = ["x.csv"]\n', "property 'bath' (line 1): there is no key 'export'. Did you mean exports?"),
        (BATH.replace('ledger = "bath.sqlite"\n', ""), "property 'bath' (line 1): 'ledger' is missing"),
        (BATH.replace('["bath.csv"]', '"bath.csv"'), "'exports' must be a list of texts"),
        (BATH.replace('["bath.csv"]', "[]"), "'exports' names nothing"),
        (BATH.replace('["bath.csv"]', '["a.csv", 7]'), "'exports', entry 2 must be a text in quotes"),
        (BATH.replace('"bath"\nexports', '" "\nexports'), "'name' is blank"),
        (BATH + 'expect = "4f1c"\n', "'expect' is no plan id"),
        (BATH + DOVER.replace('"dover"\n', '"Bath"\n', 1), "property 'Bath' (line 6): the name is taken by"),
        (BATH + DOVER.replace("dover.sqlite", "./x/../bath.sqlite"), "it shares its ledger with"),
    ],
)
def test_a_fault_is_told_with_property_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert said in caught.value.message
    assert caught.value.code == "portfolio.invalid"
    assert caught.value.hint


def test_an_export_named_twice_for_one_place_is_not_run(tmp_path: Path) -> None:
    """Each ledger would post its orders; another token, address or mapping leads into another hotel."""
    path = tmp_path / "portfolio.toml"
    with pytest.raises(UsageError, match=r"'spa': bath\.csv goes by the same mapping and token as for 'bath'"):
        refuse_copies(path, read(tmp_path, BATH + SPA))
    for key in ('access_token_env = "SPA"\n', 'platform_address = "https://spa.example"\n'):
        refuse_copies(path, read(tmp_path, BATH + SPA + key))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, BATH + "ledgr = 1\n" + DOVER.replace('mapping = "mappings/dover"\n', ""))
    assert "'ledgr'" in caught.value.message
    assert "'mapping' is missing" in caught.value.message


@pytest.mark.parametrize("key", ["client_token_env", "access_token_env", "client_token", "expect"])
def test_a_token_pasted_into_the_file_is_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, BATH + f'{key} = "7059D2C25BF64EA681ACAB3A00B859CC-D91BFF2"\n')
    assert key in caught.value.message
    assert "7059D2C2" not in f"{caught.value.message} {caught.value.hint}"


def test_one_ledger_is_one_whoever_logs_in(tmp_path: Path) -> None:
    urls = ("postgresql+psycopg://a:b@db/one", "postgresql://c@db/one?sslmode=require")
    text = "".join(
        one.replace(f"{name}.sqlite", url)
        for one, name, url in zip((BATH, DOVER), ("bath", "dover"), urls, strict=True)
    )
    with pytest.raises(UsageError, match="shares its ledger"):
        read(tmp_path, text)


def test_schemas_of_one_database_are_ledgers_of_their_own(tmp_path: Path) -> None:
    """As docs/operations.md advises for properties that share a token."""
    urls = [f"postgresql+psycopg://db/one?options=-csearch_path%3D{name}" for name in ("bath", "dover")]
    text = BATH.replace("bath.sqlite", urls[0]) + DOVER.replace("dover.sqlite", urls[1])
    assert [one.ledger for one in read(tmp_path, text)] == urls


def test_every_property_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = ("Bath/1", "Bath 1", "index.html", "..")
    text = "".join(
        BATH.replace('"bath"', f'"{name}"', 1).replace("bath.sqlite", f"{at}") for at, name in enumerate(names)
    )
    folders = [one.folder for one in read(tmp_path, text)]
    assert folders == ["Bath-1", "Bath-1-2", "index.html-2", "property"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_portfolio(tmp_path / "none.toml")
