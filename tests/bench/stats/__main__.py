"""``python -m tests.bench.stats [PART...]``: what the statistics claim, against campaigns whose truth is known.

Seeds are fixed. It ends with 1 if a figure is outside of its bounds.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator

import tests.bench.stats
from tests.bench.stats.harness import CAMPAIGNS, HEADER, Claim


def parts() -> dict[str, Callable[[], Iterator[Claim]]]:
    """The simulations, by the names of their modules."""
    names = [found.name for found in pkgutil.iter_modules(tests.bench.stats.__path__) if found.name != "__main__"]
    modules = {name: importlib.import_module(f"{tests.bench.stats.__name__}.{name}") for name in names}
    return {name: module.claims for name, module in modules.items() if hasattr(module, "claims")}


def main(chosen: list[str]) -> int:
    """Print the tables; returns 1 if a claim does not hold, 2 for a part that there is not."""
    found = parts()
    if unknown := [name for name in chosen if name not in found]:
        print(f"no part {' '.join(unknown)}; there are: {' '.join(found)}", file=sys.stderr)
        return 2
    missed = 0
    for name in chosen or found:
        started_s = time.perf_counter()
        print(f"\n### {name}: {CAMPAIGNS:,} campaigns a figure\n\n{HEADER}", flush=True)
        for claim in found[name]():
            print(claim, flush=True)
            missed += not claim.holds
        print(f"\n({time.perf_counter() - started_s:.0f} s)", flush=True)
    print(f"\n{missed or 'no'} claim{'s' * (missed != 1)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
