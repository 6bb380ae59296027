"""Products, names and accounting categories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import CATEGORY, PRODUCT, SERVICE, a_context, a_line, a_mapping, a_reference

from etl.model.order import Line
from etl.model.plan import EntryKind
from etl.model.reference import Named, Product, Reference
from etl.model.rules import CategoryRule
from etl.transform.context import Context, Findings
from etl.transform.products import Article, article_of, cut, fill


def with_tables(
    reference: Reference | None = None, *, settings: dict[str, Any] | None = None, **tables: Any
) -> Context:
    return a_context(a_mapping(products=settings or {}, tables=tables), reference)


def article(line: Line, ctx: Context) -> tuple[Article, list[str]]:
    found = Findings("10001")
    result = article_of(line, ctx, found)
    return result, [problem.code for problem in found.problems]


def test_a_line_without_product_is_an_item() -> None:
    """With a full name and the accounting category, or it lands under None in the accounting report."""
    line = a_line(brand="Gift Co", product="Cup", variant="red", size="L")
    assert article(line, a_context()) == (Article(EntryKind.ITEM, "Gift Co Cup red L", "", CATEGORY), [])


@pytest.mark.parametrize("key_type", ["sku", "ean", "id", "item"])
def test_a_mapped_key_is_a_product(key_type: str) -> None:
    """Any of the four keys will do."""
    found, problems = article(
        a_line(**{"sku": "", key_type: "123"}), with_tables(products={(key_type, "123"): PRODUCT})
    )
    assert (found.kind, found.product_id, problems) == (EntryKind.PRODUCT, PRODUCT, [])


def test_keys_are_tried_in_their_order() -> None:
    """The SKU's row decides before the EAN's."""
    reference = replace(a_reference(), products={name: Product(name, name, True, SERVICE) for name in ("a", "b")})
    ctx = with_tables(reference, products={("ean", "5"): "b", ("sku", "CUP"): "a"})
    assert article(a_line(ean="5"), ctx)[0].product_id == "a"


def test_products_by_external_identifier() -> None:
    """eid: is resolved by the reference data; an unknown one blocks."""
    reference = replace(a_reference(), eids={"product:CUP-1": PRODUCT})
    assert article(a_line(), with_tables(reference, products={("sku", "CUP"): "eid:CUP-1"}))[0].product_id == PRODUCT
    assert article(a_line(), with_tables(products={("sku", "CUP"): "eid:CUP-1"}))[1] == ["product.unknown"]


@pytest.mark.parametrize(
    ("target", "products", "code"),
    [
        (None, {}, "product.undecided"),
        ("pr-x", {}, "product.unknown"),
        ("pr-x", {"pr-x": Product("pr-x", "X", True, "other")}, "product.unknown"),
        ("pr-x", {"pr-x": Product("pr-x", "X", False, SERVICE)}, "product.inactive"),
    ],
)
def test_products_that_mews_would_refuse_block(target: str | None, products: dict[str, Product], code: str) -> None:
    """An empty cell, another service's product and an inactive one are told before anything is sent."""
    reference = replace(a_reference(), products=products)
    assert article(a_line(), with_tables(reference, products={("sku", "CUP"): target}))[1] == [code]


def test_unmapped_products_block_where_the_user_says_so() -> None:
    """Otherwise they become items."""
    assert article(a_line(), with_tables(settings={"unmapped": "block"}))[1] == ["product.unmapped"]


def test_categories_by_sku_brand_and_product() -> None:
    """Keys in this order; patterns allowed; else the category of migration.toml."""
    reference = replace(
        a_reference(), categories={name: Named(name, name, True) for name in (CATEGORY, "cups", "gifts", "tea")}
    )
    ctx = with_tables(
        reference,
        categories=(
            CategoryRule("brand", "Gift*", "gifts"),
            CategoryRule("sku", "CUP*", "cups"),
            CategoryRule("product", "Tea", "tea"),
        ),
    )
    assert article(a_line(brand="Gift Co"), ctx)[0].category_id == "cups"
    assert article(a_line(sku="X", brand="Gift Co", product="Tea"), ctx)[0].category_id == "gifts"
    assert article(a_line(sku="X", product="Tea"), ctx)[0].category_id == "tea"
    assert article(a_line(sku="X"), ctx)[0].category_id == CATEGORY


def test_undecided_and_unknown_categories_block() -> None:
    """Money without its account is found too late."""
    assert article(a_line(), with_tables(categories=(CategoryRule("sku", "*", None),)))[1] == ["category.undecided"]
    assert article(a_line(), with_tables(categories=(CategoryRule("sku", "*", "ca-x"),)))[1] == ["category.unknown"]
    gone = replace(a_reference(), categories={CATEGORY: Named(CATEGORY, "Web shop", False)})
    assert article(a_line(), with_tables(gone))[1] == ["category.unknown"]


def test_a_line_without_name_is_called_by_its_key() -> None:
    """Said, since the guest reads it on the bill."""
    assert article(a_line(product="", brand="Gift Co"), a_context()) == (
        Article(EntryKind.ITEM, "Gift Co CUP", "", CATEGORY),
        ["name.missing"],
    )
    assert article(a_line(product="", sku=""), a_context())[0].name == "Item"


def test_remarks_are_made_for_every_order() -> None:
    """What is remembered of one order must not hide the notice or the block of the next."""
    nameless, ctx = a_line(product=""), a_context()
    unknown = with_tables(products={("sku", "CUP"): "pr-x"})
    for _ in range(2):
        assert article(nameless, ctx)[1] == ["name.missing"]
        assert article(a_line(), unknown)[1] == ["product.unknown"]
    found = Findings("10002")
    assert [article_of(nameless, ctx, found).name for _ in range(2)] == ["CUP", "CUP"]
    assert article(nameless, ctx)[1] == ["name.missing"]


def test_lines_that_differ_are_not_mistaken_for_each_other() -> None:
    """One SKU sold under several names keeps each."""
    ctx = with_tables(settings={"item_name": "{product} {comment}"})
    lines = [a_line(), a_line(product="Mug"), a_line(comment="engraved")]
    assert [article(line, ctx)[0].name for line in (*lines, *lines)] == ["Cup", "Mug", "Cup engraved"] * 2


def test_templates_leave_no_gaps() -> None:
    """Empty and unknown fields leave nothing behind, braces of other kinds stay."""
    assert fill("{a}  {b} {c} {} {1}", {"a": "x", "b": "", "c": " z "}) == "x z {} {1}"


def test_long_names_are_cut_visibly() -> None:
    """Mews takes 255 characters."""
    assert cut("x" * 255, 255) == "x" * 255
    assert cut("x" * 256, 255) == "x" * 254 + "…"


@pytest.mark.parametrize(
    ("given", "mapped"),
    [
        ("cup-1", "CUP-1"),
        ("CUP\u20111", "CUP-1"),
        ("CUP\u22121", "CUP-1"),
        ("CUP -1", "CUP-1"),
        ("\uff23\uff35\uff30-1", "CUP-1"),
        ("Scha\u0308le", "Sch\u00e4le"),
        ("22469", "0022469"),
    ],
)
def test_a_key_that_looks_like_a_mapped_one_is_told(given: str, mapped: str) -> None:
    """Keys are exact, so the line goes as an item: not without a word where a person would read the keys as one."""
    products = {("sku", mapped): PRODUCT, ("sku", "TRAY"): PRODUCT}
    found = Findings("10001")
    sent = article_of(a_line(sku=given), with_tables(products=products), found)
    assert sent.kind is EntryKind.ITEM
    (problem,) = found.problems
    assert (problem.code, problem.is_error) == ("product.near", False)
    assert mapped in problem.message
    blocking = with_tables(products=products, settings={"unmapped": "block"})
    assert article(a_line(sku=given), blocking)[1] == ["product.unmapped"]


def test_other_keys_are_no_news() -> None:
    """A history of articles that are not mapped is normal."""
    assert article(a_line(sku="CUP-2"), with_tables(products={("sku", "CUP-1"): PRODUCT}))[1] == []
