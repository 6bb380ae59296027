"""What a header that no shop is known for says by its words: `Rechnungsbetrag (brutto)`, `P.U. HT`, `Fakturadatum`.

Only asked where `names.csv` knows nothing; content and the footing of the orders still decide. Pure.
"""

from __future__ import annotations

import re
from functools import cache

_DOCUMENT = (
    r"(?:order|ordre|ordine|orden\b|ordinal|bestell|auftrag|beleg|rechnung|invoice|factur|fattur|faktur|document|dokument|commande|cde\b"
    r"|pedido|bestill|bestall|beställ|vorgang|transa[ck]tion|receipt|kvitter|ticket|zamowien|tilaus|encomenda|\bsales?\b|vente|venta|verkauf|\bdoc\b)"
)
_NUMBER = r"(?:nr\b|no\b|num\b|numero|number|nummer|numer|\bn\b|\bid\b|\bref|kode\b|\bcode\b|nro\b)"
_DATE = (
    r"(?:\bdate|dat[uo]m|\bdato|dato\b|fecha|\bdata\b|\bday\b|\btag\b|zeit|\btime|tid\b|tidspunkt|\bhora\b|heure|tijd|created|erstellt"
    r"|placed|bestellt|ordered|skapad|oprettet|aangemaakt|creado|\bcree|purchased|bought|kopt\b|paiva|\bbestilt\b|\bsold on\b|\bordered on\b)"
)
_DELIVERY = r"(?:deliver|liefer|livraison|entrega|leverans|leverings|levering|shipment|shipping|\bship|versand|expedi|envio|consegna|spedizi|verzend|bezorg)"
_BILLING = r"(?:bill|invoice|rechnung|faktur|factur|fattur)"
_TAX = r"(?:\btax(?:es)?\b|\bvat|\bust\b|umsatzsteuer|mwst|mehrwertsteuer|steuer|\btva\b|\biva\b|\bmoms|\bbtw\b|\bmva\b|\balv\b|\bgst\b)"
_RATE = r"(?:\brate\b|satz|taux|\btipo\b|aliquota|\bsats\b|momssats|percent|tarief|\bpct\b|porcentaje|prozent)"
_MONEY = (
    r"(?:amount|betrag|montant|import[eo]|\bsum|summa|total|belopp|belob|bedrag|value|wert\b|valore|valor\b|kost|cost|price|preis|prix|prec|prezz"
    r"|pris\b|prijs|charge|\bfee|gebuhr|frais|gastos|spese|avgift|gebyr|omkost|gross|brutto|\bnet\b|netto|\bht\b|\bttc\b|incl|inkl)"
)
_SHIPPING = r"(?:shipping|versand|(?<!im)porto\b|fracht|freight|postage|carriage|\bport\b|\bports\b|livraison|\benvio|spedizi|frakt|fragt|verzend|deliver|liefer|levering|expedi|forsendelse)"
_DISCOUNT = r"(?:discount|rabat|remise|descuento|scont[oi]|korting|nachlass|gutschein|voucher|coupon|cupon|reducti|reduzier|\bmoney off\b|\boff\b|avslag|alennus|abzug|promo)"
_LINE = r"(?:\blin|\bpos\b|position|zeile|ligne|\brig[ae]|\brad|regel|\brow\b|\bitem|artikel|article|articul|articol|\bunit|einzel|\bper\b|stuck|styck)"
_NO_ORDER = r"(?:customer|kund|\bkd\b|client|klant|account|konto|article|artikel|articul|articol|\bitem|produ[ckt]|prodott|\bsku\b|line|linea|position|\bpos\b|parent|external|quote|shipment|tracking|payment|zahlung|tax|vat|status|state|date|datum|total|amount|betrag|summe|phone|tel)"
_LATER = (
    r"(?:due|fallig|paid|payment|zahl|bezahlt|betal|pagad|pagament|paye|cancel|storno|annul|modifi|updat|gean|chang|birth|geburt|print|gmt|utc"
    r"|echeance|vencim|scaden|forfal|vervald|fulfil|processed|closed|refund|export|import|state|statut|status)"
)
_SHARE = r"(?:percent|rate\b|satz|sats\b|taux|pct)"

_STEMS: tuple[tuple[str, str, str], ...] = (
    ("orderNumber", rf"{_DOCUMENT}.*{_NUMBER}|{_NUMBER}.*{_DOCUMENT}", _NO_ORDER),
    ("deliveryDate", rf"{_DATE}.*{_DELIVERY}|{_DELIVERY}.*{_DATE}", _LATER),
    ("orderDate", rf"{_DATE}|\bvom\b", rf"{_DELIVERY}|{_LATER}"),
    ("status", r"status|statut|\bstato\b|\bestado\b|zustand|\betat\b|\btila\b|tilstand|(?:order|payment|document) sta(?:te|ge)|^stage$|\bestat|situaci|situatio|bearbeitungsstand", rf"{_DELIVERY} (?:state|estado)|date|datum"),
    ("currency", r"currency|wahrung|waehrung|devise|moneda|divisa|valuta|valuutta|waluta|\bwhg\b|\bccy\b|\bcurr\b", r"rate|kurs|amount|betrag"),
    ("deliveryAddress.country", rf"{_DELIVERY}.*(?:country|land\b|pays|pais|paese|\bmaa\b|kraj)|ship to\b|deliver to\b|(?:empfanger|modtager|aflever|ziel|bestimmungs)\w*land|destino\b|destinazione|pays de {_DELIVERY}", r"city|name|zip|phone|street|address|code post"),
    ("invoiceAddress.country", rf"{_BILLING}.*(?:country|land\b|pays|pais|paese)|bill to\b", r"city|name|zip|phone|street|address|code post"),
    ("address.country", r"country|land\b|\bpays\b|\bpais\b|\bpaese\b|\bmaa\b|\bkraj\b|\bna[tz]ion", r"city|name$|phone"),
    ("invoiceAddress.email", r"e ?mail|courriel|\bcorreo|posta elettronica|\bmail\b", r"consent|accept|marketing|newsletter"),
    ("customerId", rf"(?:customer|kund|\bkd\b|client|klant).*{_NUMBER}|{_NUMBER}.*(?:customer|kund|client|klant)", r"order|purchase|group|gruppe|type|mail|phone"),
    ("taxTotal", rf"{_TAX}.*{_MONEY}|{_MONEY}.*{_TAX}", rf"{_RATE}|{_LINE}|{_SHIPPING}|{_DISCOUNT}|incl|inkl|excl|exkl|\bex\b|included|sans|hors|\bzzgl|compris|inclus|price|preis|\bp u\b|pris\b|prijs|precio|prezzo"),
    ("products.vatPercent", rf"{_TAX}.*{_RATE}|{_RATE}.*{_TAX}|^{_TAX}(?: code| key| class)?$", rf"{_SHIPPING}|incl|inkl|excl|exkl|price|preis|amount|betrag"),
    ("voucherCode", rf"{_DISCOUNT}.*(?:code|kode|kod\b|codigo|codice|{_NUMBER})|(?:code|codigo|codice).*{_DISCOUNT}", r"amount|betrag|value|type"),
    ("voucherValue", _DISCOUNT, rf"code|kode|kod\b|codigo|codice|\bname\b|\btype|reason|text|{_SHARE}|{_LINE}|{_SHIPPING}|{_TAX}$"),
    ("shippingValue", rf"{_SHIPPING}.*{_MONEY}|{_MONEY}.*{_SHIPPING}|(?<!im)porto\b|\bports?\b|freight|fracht|frakt|fragt|postage|carriage", rf"date|datum|country|land\b|method|address|adress|name|city|{_TAX} (?:amount|total)|discount|rabatt|code|status|weight"),
    ("handlingCost", r"handling|gebuhr|surcharge|\bfees?\b|gebyr|avgift|gestion", r"date|code|name|method"),
    ("products.unitPrice", r"price|preis|\bprix\b|\bprecio|prezzo|\bpris\b|prijs|\bhinta\b|\bcena\b|\bp u\b|\bpu\b|\ba pris\b|\bvk\b", rf"total|gesamt|summe|list|compare|original|\buvp\b|\brrp\b|\bcost\b|purchase|einkauf|\bek\b|{_SHIPPING}|{_DISCOUNT}|order|{_SHARE}|group|line|zeile|ligne"),
    ("products.qty", r"quantity|\bqty\b|menge|anzahl|stuckzahl|quantite|\bqte\b|cantidad|\bcant\b|quantita|\bantal|aantal|\bunits\b|pieces|\bpcs\b|\bkpl\b|ilosc", r"unit of|cancel|return|refund|shipped|reserved|stock|total"),
    ("products.sku", r"\bsku\b|(?:artikel|\bart\b|article|articul|articol|\bitem|produ[ckt]\w*|prodotto|vare|\bvara).*(?:" + _NUMBER + r")|(?:codigo|codice|code|ref\w*) .*(?:article|articul|articol|produ|item)|(?:artikel|vare)\w*(?:nr|nummer|kode)", r"order|name|group|gruppe"),
    ("products.itemText.product", r"description|bezeichnung|designation|libelle|descripcion|descrizione|benamning|omschrijving|beskrivelse|produ[ck]t\w*|prodotto|artikel|\barticle|articulo|articolo|\bitem\b|\bvara\b|\bvare\b", rf"{_NUMBER}|price|preis|type|group|gruppe|categor|kategori|discount|total|amount|tax|date"),
    ("line total", rf"(?:{_MONEY}).*{_LINE}|{_LINE}.*(?:{_MONEY})", rf"{_TAX}.*(?:amount|betrag)|{_DISCOUNT}|price|preis|pris\b|prezzo|precio|prix|unit cost"),
    ("orderTotal", r"total|summe|\bsum\b|summa|gesamt|betrag|amount|montant|importe|importo|belopp|belob|totaal|bedrag|zu zahlen|a payer|to pay|betala|betale|betalen|pagare|a pagar|grand|\bdue\b|(?:auftrags|bestell|rechnungs)wert", rf"{_LINE}|{_SHIPPING}|{_DISCOUNT}|{_SHARE}|refund|erstatt|\bqty\b|quantity|menge|anzahl|qte|weight|gewicht|zwischen|sous|\bsub|paid|bezahlt|outstanding|steuer\w*betrag|{_TAX} (?:amount|total|betrag)|(?:amount|total|montant|importe?|importo) (?:de )?{_TAX}$|count|number"),
)  # fmt: skip
_SHORT = {
    "amt": "amount", "dt": "date", "prc": "price", "desc": "description", "ord": "order", "cust": "customer", "ctry": "country",
    "cntry": "country", "cd": "code", "frt": "freight", "disc": "discount", "tot": "total", "pct": "percent", "inv": "invoice",
    "itm": "item", "sts": "status", "stat": "status", "shp": "shipping", "dlv": "delivery", "crncy": "currency", "so": "order",
}  # fmt: skip
"""Words as tables of databases shorten them."""
_COMPILED = tuple((field, re.compile(wanted), re.compile(unwanted)) for field, wanted, unwanted in _STEMS)


@cache
def fields_by_stem(text: str) -> tuple[str, ...]:
    """The fields that the words of a header may mean, likeliest first; `text` as `etl.proposals.names.words` gives it."""
    text = " ".join(_SHORT.get(word, word) for word in text.split())
    return tuple(field for field, wanted, unwanted in _COMPILED if wanted.search(text) and not unwanted.search(text))
