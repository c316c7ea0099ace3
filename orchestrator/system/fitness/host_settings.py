"""How the machine beside its GPUs is set and loaded: what Linux shows of it below /proc and /sys."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CPUS = "sys/devices/system/cpu"
_NO_LIMIT_BYTES = 2**60
"""What the first version of control groups shows where there is no limit."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """A machine at a moment; None where it does not tell."""

    cpus: int
    cpus_usable: int
    """Those that this process may run on."""
    governors: frozenset[str] = frozenset()
    """Of all CPUs; empty where their frequency is not ours to set, as in a virtual machine."""
    boost: bool | None = None
    boost_file: Path | None = None
    """Where it is set."""
    smt: bool | None = None
    cpu_limit: float | None = None
    """How many CPUs' worth of time this container may use; None: no limit."""
    memory_limit_bytes: int | None = None
    memory_bytes: int | None = None
    load: float | None = None
    """How many processes wanted a CPU, over the last minute."""
    on_battery: bool | None = None
    """None where there is no battery."""


def host_settings(root: Path = Path("/")) -> HostSettings:
    """How this machine is set now.

    Args:
        root: where /proc and /sys are.
    """
    cpus = os.cpu_count() or 1
    governors = {_text(file) for file in (root / _CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")}
    boost, boost_file = _boost(root)
    smt = _text(root / _CPUS / "smt/active")
    return HostSettings(
        cpus,
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus,
        frozenset(governor for governor in governors if governor),
        boost,
        boost_file,
        None if smt not in ("0", "1") else smt == "1",
        _cpu_limit(root),
        _memory_limit_bytes(root),
        _memory_bytes(root),
        _load(root),
        _on_battery(root),
    )


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _boost(root: Path) -> tuple[bool | None, Path | None]:
    for name, on in (("intel_pstate/no_turbo", "0"), ("cpufreq/boost", "1")):
        told = _text(root / _CPUS / name)
        if told in ("0", "1"):
            return told == on, root / _CPUS / name
    return None, None


def _cpu_limit(root: Path) -> float | None:
    told = _text(root / "sys/fs/cgroup/cpu.max")  # control groups of the second version
    if told is None:
        first = (_text(root / f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
        told = " ".join(part or "" for part in first)
    with suppress(ValueError, ZeroDivisionError):
        quota, period = told.split()
        limit = float(quota) / float(period)
        return limit if limit > 0 else None
    return None


def _memory_limit_bytes(root: Path) -> int | None:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        told = _text(root / "sys/fs/cgroup" / name)
        if told is not None and told.isdecimal():
            return int(told) if int(told) < _NO_LIMIT_BYTES else None
    return None


def _memory_bytes(root: Path) -> int | None:
    told = _text(root / "proc/meminfo") or ""
    with suppress(ValueError, IndexError, StopIteration):
        return int(next(line for line in told.splitlines() if line.startswith("MemTotal:")).split()[1]) * 1024
    return None


def _load(root: Path) -> float | None:
    with suppress(ValueError, IndexError):
        return float((_text(root / "proc/loadavg") or "").split()[0])
    return None


def _on_battery(root: Path) -> bool | None:
    """Whether a battery of the machine (not of a mouse) is being drained."""
    states = [
        _text(supply / "status")
        for supply in (root / "sys/class/power_supply").glob("*")
        if _text(supply / "type") == "Battery" and _text(supply / "scope") != "Device"
    ]
    return "Discharging" in states if states else None
