"""Bytes at random: text files truncated, flipped and spliced end in a sentence or in orders, never in a traceback."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import pytest

from etl.errors import InputError
from etl.reading.identify import open_export
from etl.staging.batch import Batch

HEADER = "orderNumber;orderDate;currency;deliveryAddress.country;comment;products.sku;products.qty;products.unitPrice\n"
ROW = '{0};2011-03-05 10:15:00;GBP;GB;"two\nlines; ""x""";SKU{0};1;{0},50\n'
SEED = 20261127


def _files() -> dict[str, bytes]:
    text = HEADER + "".join(ROW.format(number) for number in range(1, 60))
    json = '{"orders": [{"orderNumber": 1, "currency": "GBP", "products": [{"sku": "A", "qty": 1, "unitPrice": 1.5}]}]}'
    return {
        "utf8.csv": text.encode(),
        "utf16.csv": text.encode("utf-16"),
        "cp1252.csv": text.replace("lines", "Größe").encode("cp1252"),
        "packed.csv.gz": gzip.compress(text.encode()),
        "orders.json": json.encode(),
        "orders.ndjson": b"\n".join([json.encode()] * 5),
    }


def _mutated(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(random.randrange(1, 6)):
        if not data:
            break
        spot = random.randrange(len(data))
        match random.randrange(6):
            case 0:
                del data[spot:]
                data += b"\n"
            case 1:
                data[spot] ^= 1 << random.randrange(8)
            case 2:
                other = random.randrange(len(data))
                data[spot:spot] = data[other : other + random.randrange(400)]
            case 3:
                data[spot:spot] = random.choice([b'"', b"\0", b"\xff\xfe", b"\r", b"\\", b"{", b"<", b"\xed\xa0\x80"])
            case 4:
                del data[spot : spot + random.randrange(60)]
            case _:
                data[spot : spot + 1] = random.randbytes(random.randrange(1, 9))
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", _files())
def test_fuzzed_text_ends_in_words(tmp_path: Path, name: str) -> None:
    """InputError or orders; every line accounted for (else InternalError, which fails here)."""
    random = Random(f"{SEED} {name}")
    path = tmp_path / name
    for _ in range(400):
        path.write_bytes(_mutated(_files()[name], random))
        try:
            with Batch([path], open_export=open_export) as batch:
                batch.load()
                list(batch.orders())
        except InputError as error:
            said = (error.message, error.hint)
        else:
            said = ("read", "read")
        assert all(said), path.read_bytes()
