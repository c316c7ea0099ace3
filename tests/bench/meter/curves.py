"""The two loads of the benchmark: steps of (duration in s, power in W)."""

from __future__ import annotations

from random import Random

SQUARE = ((0.0235, 600.0), (0.0235, 80.0))
"""A decode step of a host-bound engine: 47 ms, half of it idle."""

IDLE_W = 80.0


def serving(seed: int = 4, requests: int = 12) -> tuple[tuple[float, float], ...]:
    """Prefill and decode of requests of unlike length, with pauses between them, some 20 s in all.

    A prefill draws near the power limit for 0.1 to 0.4 s; then come 20 to 60 decode steps of about 25 ms, of which
    the device computes most and waits for the host the rest; between requests it idles for 20 to 300 ms.
    """
    random = Random(seed)
    steps: list[tuple[float, float]] = []
    for _ in range(requests):
        steps.append((random.uniform(0.1, 0.4), random.uniform(580, 690)))
        for _ in range(random.randint(20, 60)):
            steps.append((random.gauss(0.018, 0.001), random.uniform(290, 340)))
            steps.append((random.uniform(0.004, 0.010), random.uniform(150, 180)))
        steps.append((random.uniform(0.02, 0.3), IDLE_W + 20))
    return tuple((round(duration_s, 6), round(power_w, 3)) for duration_s, power_w in steps)


CURVES = {"square wave": SQUARE, "prefill and decode": serving()}
