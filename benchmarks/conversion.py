"""Prices with tax into an enterprise with prices without it: how many distinct lines are converted a CPU second.

python benchmarks/conversion.py none|0|4    prints how many lines, and how many a second, at this TaxPrecision
"""

from __future__ import annotations

import random
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from builders import a_reference

from etl.model.reference import Pricing, Strategy, TaxRate
from etl.transform.arithmetic import Arithmetic
from etl.transform.conversion import Conversion

RATES = {"A": "0.2", "B": "0.175", "C": "0.05"}
LINES = 50_000


def main() -> None:
    precision = None if sys.argv[1] == "none" else int(sys.argv[1])
    rates = tuple(TaxRate(code, code, Strategy.RELATIVE, Decimal(rate)) for code, rate in RATES.items())
    conversion = Conversion(Arithmetic(a_reference(pricing=Pricing.NET, rates=rates, tax_precision=precision)))
    rng = random.Random(7)
    lines = {
        (Decimal(pieces * rng.randint(50, 9_999)).scaleb(-2), pieces, (rng.choice(list(RATES)),))
        for pieces in rng.choices(range(1, 13), k=LINES)
    }
    begun = time.process_time()
    for total, pieces, codes in lines:
        conversion.best(total, pieces, codes, 2, Decimal(0))
    print(f"{len(lines):,}", f"{len(lines) / (time.process_time() - begun):,.0f}")


if __name__ == "__main__":
    main()
