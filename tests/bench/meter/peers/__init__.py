"""The peers: what each needs, in an environment of its own, and the driver that uses it as its guide says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A tool that anybody can install."""

    name: str
    requirements: tuple[str, ...]
    module: str
    """Of its driver, run by the environment's own Python."""


def _peer(name: str, *requirements: str) -> Peer:
    return Peer(name, requirements, f"tests.bench.meter.peers.{name.replace('-', '_')}")


PEERS = (
    _peer("zeus", "zeus==0.16.0"),
    _peer("codecarbon", "codecarbon==3.3.2"),
    # Its tracker is CodeCarbon's, and importing it needs torch; torch is pinned so that pip may take a CPU build.
    _peer("optimum-benchmark", "optimum-benchmark[codecarbon]==0.6.0", "codecarbon==3.3.2", "torch==2.13.0"),
    _peer("llenergymeasure", "llenergymeasure==0.7.0"),
    _peer("energy-bench", "energy-bench==0.1.0"),
)
