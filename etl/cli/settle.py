"""centra-mews settle."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import click

from etl.cli import options
from etl.cli.console import Console
from etl.errors import UsageError


@click.command("settle")
@click.argument("order", callback=options.NUMBER)
@click.option(
    "--posted", metavar="ORDERID", default="", callback=options.ORDER_ID, help="It is in Mews, under this OrderId."
)
@click.option("--absent", is_flag=True, help="It is not in Mews; it may be sent again.")
@click.pass_obj
def command(console: Console, order: str, posted: str, absent: bool) -> int:
    """Decide an order that the tool may not decide; both sides are checked against Mews first."""
    from etl.pipeline.recovery import settle_order
    from etl.settings import connection, environment

    if bool(posted) == absent:
        raise UsageError("settle needs either --posted ORDERID or --absent.", hint="Look the order up in Mews first.")
    link = connection(environment())
    console.start_logging(link)
    with ExitStack() as stack:
        document = asyncio.run(
            settle_order(stack, console.settings, link, options.order_number(order), posted=posted, absent=absent)
        )
    console.text(f"Order {document['order']} is {document['state']} now.")
    if not document["is_as_sent"]:
        console.text(f"Mews holds something else than was sent ({document['message']}).")
        console.text(
            f"Next: `reconcile` calls it different until waivers.csv has a row that begins {document['order']},different."
        )
    console.result(document)
    return 0
