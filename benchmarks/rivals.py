"""The same orders, posted without a ledger: by a plain script of pandas and httpx, and by dlt with a custom destination.

    python benchmarks/rivals.py script|dlt URL EXPORT

Runs with any Python that has pandas and httpx (and dlt), not with the product's: it imports nothing of it. Reading, grouping and, with
dlt, extracting and normalising come before the clock of posting starts; `job` has the CPU of all of it, without the imports. Neither asks
what was posted before.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import pandas as pd

TOKENS = {
    "ClientToken": "SANDBOX-CLIENT-TOKEN-NOT-A-SECRET",
    "AccessToken": "SANDBOX-ACCESS-TOKEN-NOT-A-SECRET",
    "Client": "rival",
}
SERVICE = "5e000000-0000-4000-a000-000000000001"
ACCOUNT = "ac000000-0000-4000-a000-000000000001"
CATEGORY = "ca000000-0000-4000-a000-000000000001"


def bodies(path: str):
    """Each order of the export as the body of `orders/add`."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    for number, lines in rows.groupby("orderNumber", sort=False):
        items = [
            _item(
                f"centra:uk:{number}:p{at}",
                line["products.itemText.product"],
                int(line["products.qty"]),
                line["products.unitPrice"],
                line["products.vatPercent"],
            )
            for at, line in enumerate(lines.to_dict("records"), 1)
        ]
        first = lines.iloc[0]
        if first["shippingValue"] != "0.00":
            items.append(_item(f"centra:uk:{number}:s1", "Shipping", 1, first["shippingValue"], "20"))
        yield {
            **TOKENS,
            "ServiceId": SERVICE,
            "AccountId": ACCOUNT,
            "ConsumptionUtc": first["orderDate"].replace(" ", "T") + "Z",
            "Notes": f"[centra:uk:{number}] Centra order {number}",
            "Items": items,
        }


def _item(identifier: str, name: str, count: int, price: str, vat: str):
    return {
        "Name": name,
        "UnitCount": count,
        "UnitAmount": {"Currency": "GBP", "TaxCodes": [f"UK-{vat}%"], "GrossValue": float(price)},
        "ExternalIdentifier": identifier,
        "AccountingCategoryId": CATEGORY,
    }


def script(url: str, path: str) -> None:
    """One after the other over one kept client."""
    with httpx.Client() as client:
        for body in bodies(path):
            client.post(url, json=body).raise_for_status()


def with_dlt(url: str, path: str) -> dict[str, float]:
    """dlt's load step, and all that it does with ready bodies (`pipe_`); what it posted is known to its own state afterwards."""
    import dlt

    pd.read_csv(path, nrows=1)
    whole = time.process_time()
    client = httpx.Client()

    @dlt.destination(batch_size=100, name="mews")
    def mews(items, table):  # noqa: ARG001 - dlt's signature
        for item in items:
            client.post(url, content=item["body"], headers={"Content-Type": "application/json"}).raise_for_status()

    with tempfile.TemporaryDirectory() as folder:
        ready = [{"body": json.dumps(body)} for body in bodies(path)]
        given = time.process_time(), time.monotonic()
        name = f"rival_{uuid.uuid4().hex[:8]}"
        pipeline = dlt.pipeline(name, destination=mews, pipelines_dir=folder, dataset_name="orders")
        pipeline.extract(ready, table_name="orders")
        pipeline.normalize()
        begun = time.process_time(), time.monotonic()
        pipeline.load()
        ended = time.process_time(), time.monotonic()
    return {
        "cpu": ended[0] - begun[0],
        "wall": ended[1] - begun[1],
        "pipe_cpu": ended[0] - given[0],
        "pipe_wall": ended[1] - given[1],
        "job": ended[0] - whole,
    }


def main() -> None:
    kind, address, path = sys.argv[1:]
    url = f"{address}/api/connector/v1/orders/add"
    if kind == "dlt":
        told = with_dlt(url, str(Path(path).resolve()))
    else:
        pd.read_csv(path, nrows=1)
        begun = time.process_time(), time.monotonic()
        script(url, path)
        cpu, wall = time.process_time() - begun[0], time.monotonic() - begun[1]
        told = {"cpu": cpu, "wall": wall, "job": cpu}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
