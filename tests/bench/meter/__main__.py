"""``python -m tests.bench.meter [live] [faults] [cut] [cost] [--quick]``: the tables of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.meter import cost, cut, faults, live
from tests.bench.meter.environments import NotInstalledError, python_of
from tests.bench.meter.ours import OURS
from tests.bench.meter.peers import PEERS
from tests.bench.meter.processes import Tool
from tests.bench.pairs import machine

PARTS: dict[str, tuple[str, Callable[[Tool, list[Tool], Path, bool], str]]] = {
    "live": ("Live windows, ours and each peer", live.report),
    "faults": ("Faults, ours and each peer", faults.report),
    "cut": ("Windows cut afterwards from one recording", cut.report),
    "cost": ("What the sampler costs", cost.report),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.meter", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them if none is named")
    parser.add_argument("--quick", action="store_true", help="a few windows of each: to see that it works")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    chosen = [part for part in PARTS if not arguments.parts or part in arguments.parts]
    peers, missing = _peers() if {"live", "faults"} & set(chosen) else ([], [])
    print(f"{machine()}. {time.strftime('%Y-%m-%d', time.gmtime())}.\n")
    for line in missing:
        print(f"- {line}\n")
    for part in chosen:
        title, report = PARTS[part]
        begun_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-meter-") as scratch:
            text = report(OURS, peers, Path(scratch), arguments.quick)
        print(f"### {title}\n\n{text}\n\n({time.monotonic() - begun_s:.0f} s)\n", flush=True)


def _peers() -> tuple[list[Tool], list[str]]:
    found: list[Tool] = []
    missing: list[str] = []
    for peer in PEERS:
        try:
            found.append(Tool(peer.name, python_of(peer), peer.module))
        except NotInstalledError as error:
            missing.append(f"{peer.name} cannot be installed here: {error}")
            print(missing[-1], file=sys.stderr)
    return found, missing


if __name__ == "__main__":
    main()
