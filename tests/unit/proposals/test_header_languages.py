"""Headers as shops of many countries and programs write them: each is found by its name, its words or its cells."""

from __future__ import annotations

import pytest
from made_up import made_up_rows
from strange_dumps import sales

from etl.proposals.dump import Grid
from etl.proposals.propose import propose
from etl.proposals.sheet import Sheet

FIELDS = (
    *("orderNumber", "orderDate", "status", "country", "products.sku", "products.itemText.product", "products.qty"),
    *("products.unitPrice", "products.vatPercent", "shippingValue", "voucherValue", "orderTotal"),
)
HEADERS = """
Auftragsnummer|Auftragsdatum|Auftragsstatus|Lieferland|Artikelnr.|Artikelname|Menge|Stückpreis|MwSt-Satz|Versandkosten|Rabattbetrag|Gesamtbetrag
Bestell-Nr|Bestelldatum|Status|Land (Lieferung)|Art-Nr|Produkt|Stück|Preis|Steuersatz|Versand|Gutschein|Summe
Beleg|Datum|Belegstatus|Länderkennzeichen|Artikel|Bezeichnung 1|Stückzahl|VK-Preis|USt %|Frachtkosten|Skonto|Rechnungsbetrag
AufNr|Bestellt am|Bearbeitungsstand|Empfängerland|Materialnummer|Materialkurztext|Auftragsmenge|Bruttopreis|Steuer %|Versand brutto|Rabatt brutto|Endsumme
Commande n°|Date|Statut|Pays de livraison|SKU|Nom du produit|Quantité commandée|Prix TTC|TVA (%)|Livraison TTC|Réduction|Total payé TTC
Réf commande|Passée le|Etat|Pays|Référence produit|Produit|Qté|Prix unit.|TVA|Frais de livraison|Remise|Total TTC
N° de pièce|Date de pièce|État du document|Code pays|Réf. produit|Intitulé|Nombre|Prix de vente|Taux|Transport|Rabais|Montant à régler
N.º pedido|Fecha del pedido|Estado|País|Ref.|Producto|Uds.|P.V.P.|% IVA|Portes|Dto.|Total
Pedido|Fecha|Situación|País destino|Código artículo|Artículo|Unidades|Precio|IVA %|Gastos envío|Descuento pedido|Importe total
Order nr|Datum|Orderstatus|Land|Artikelnr|Produktnamn|Antal|Pris inkl moms|Moms|Fraktkostnad|Rabatt|Summa
Beställningsnr|Beställd|Status|Leveransland|Artnr|Artikel|St|Styckpris|Momssats %|Frakt|Avdrag|Att betala
Ordre nr.|Dato|Status|Land|Varenummer|Vare|Antal|Pris pr. stk.|Momssats|Fragt|Rabat|Total inkl. moms
Bestillingsnr|Bestilt|Tilstand|Modtagerland|Vare nr.|Varetekst|Stk.|Enhedspris|Moms i %|Porto|Fradrag|Beløb i alt
Ordernr.|Orderdatum|Orderstatus|Land|Artikelnummer|Omschrijving|Aantal|Stukprijs|BTW-tarief|Verzendkosten|Korting|Totaalbedrag
Bestelling|Datum|Status|Afleverland|Artikelcode|Product|Stuks|Prijs incl. btw|Btw|Verzending|Kortingsbedrag|Te betalen
Ordrenummer|Ordredato|Ordrestatus|Leveringsland|Varenummer|Varenavn|Antall|Enhetspris|Mva-sats|Frakt|Rabatt|Sum å betale
Numero d'ordine|Data|Stato|Nazione|Codice|Prodotto|Q.tà|Prezzo|IVA|Spedizione|Sconto|Totale
Nº da encomenda|Data da encomenda|Estado|País de entrega|Código do artigo|Artigo|Quantidade|Preço unitário|Taxa de IVA|Portes de envio|Desconto|Total da encomenda
Tilausnumero|Tilauspäivä|Tila|Maa|Tuotekoodi|Tuote|Määrä|Yksikköhinta|ALV %|Toimituskulut|Alennus|Yhteensä
Nr zamówienia|Data zamówienia|Status|Kraj|Kod produktu|Nazwa produktu|Ilość|Cena|Stawka VAT|Koszt dostawy|Rabat|Razem
SO No|SO Date|Doc Status|Ship Country|Item Code|Item Description|Qty Ordered|Sell Price|Tax Rate|Freight|Order Disc|Order Value
ORD_NO|ORD_DT|ORD_STS|CTRY_CD|ITEM_CD|ITEM_DESC|QTY|UNIT_PRC|VAT_PCT|FRT_AMT|DISC_AMT|TOT_AMT
Sales Order|Created|Stage|Deliver to|Product Code|Product|Pieces|Price Each|VAT Rate|Carriage|Less Discount|Invoice Value
orderno|orderdate|orderstate|shipcountry|sku|title|count|price|taxrate|shippingcost|discounttotal|grandtotal
Transaction ID|Sold on|Payment state|Delivery country|Variant SKU|Product title|Quantity sold|Selling price|VAT|Delivery charge|Promotion|Amount paid
VBELN|AUDAT|STATUS|LAND1|MATNR|ARKTX|KWMENG|NETPR|MWST|FRACHT|RABATT|BRTWR
""".strip().splitlines()
"""Number, date, status, country, key, name, quantity, price, rate, shipping, discount, total."""


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.partition("|")[0])
def test_every_column_is_found(header: str) -> None:
    """Only the amounts are proved; that the others are right is what a person confirms."""
    names = header.split("|")
    grid = Grid()
    rows = [
        (order.number, f"{order.when:%Y-%m-%d %H:%M}", "foo", order.country, item.sku, item.name, str(item.qty),
         f"{item.price:.2f}", f"{item.rate:.1f}", f"{order.shipping:.2f}", f"{order.discount:.2f}", f"{order.total:.2f}")
        for order in sales(made_up_rows()) for item in order.items
    ]  # fmt: skip
    grid.add_table(names, rows, 10_000)
    found = propose(Sheet(grid.dump()))
    fields = {
        name: found.fields.get(name, "").removeprefix("deliveryAddress.").removeprefix("address.") for name in names
    }
    assert fields == dict(zip(names, FIELDS, strict=True))
    assert found.footing is not None
    assert found.footing.foots == 36
