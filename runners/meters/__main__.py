"""``python -m runners.meters``: one :class:`~runners.meters.choose.Spec` as a JSON line in, samples out.

Standard output carries JSON lines for the runner: ``{"ready": ...}`` once the meters are open and the first
sample is written, and ``{"failed": ...}`` when it has to give up.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys

from runners.contract.paths import FailureKind
from runners.errors import OUT_OF_SPACE, MeterError
from runners.meters.choose import Spec, open_meters
from runners.meters.sampler import first_sample, sample_until_eof


def main() -> int:
    """Runs the sampler; returns its exit code."""
    # Whoever interrupts the runner's process group means the runner: it ends the sampler when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = os.getppid()
    gc.disable()
    spec = Spec(**json.loads(sys.stdin.buffer.readline()))
    try:
        opened = open_meters(spec)
        first_sample(spec, opened)
        _say({"ready": True})
        sample_until_eof(spec, opened, sys.stdin.fileno(), parent)
        for meter in opened.meters:
            meter.close()
    except MeterError as error:
        _say({"failed": {"kind": error.kind, "message": str(error), "hint": error.hint}})
        return 1
    except OSError as error:
        full = error.errno in OUT_OF_SPACE
        kind = FailureKind.DISK_FULL if full else FailureKind.METER_FAILED
        hint = "free space where the results folder lies" if full else "see that the attempt folder can be written"
        _say({"failed": {"kind": kind, "message": f"the samples cannot be written: {error}", "hint": hint}})
        return 1
    return 0


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
