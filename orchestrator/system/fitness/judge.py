"""Verdicts on a machine: whether two runs on it, or runs on two like it, can be held against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.system.doctor.finding import Finding, Status
from orchestrator.system.fitness.gpu_settings import GpuSettings
from orchestrator.system.fitness.host_settings import HostSettings

_GIB = 2**30
_SAME_W = 1.0
_HOLDS_CLOCKS = 0.5
"""An idle GPU whose clocks are free rests far below this share of its highest clock."""
_BUSY_SHARE = 0.1
_BUSY_LEAST = 1.0
"""More load than both, in CPUs, is somebody else's work."""

_REASONS = {
    0x08: "hardware slowdown",
    0x20: "heat, by the driver",
    0x40: "heat, by the hardware",
    0x80: "the power supply",
}


def judge_gpu(found: GpuSettings) -> Iterator[Finding]:
    """How a GPU is set: power limit, clocks, ECC, MIG, persistence."""
    name = f"GPU {found.gpu.index}"
    if found.lost:
        yield Finding(f"{name} settings", Status.UNKNOWN, found.lost)
        return
    yield _power_limit(f"{name} power limit", found)
    yield _clocks(f"{name} clocks", found)
    held = [reason for bit, reason in _REASONS.items() if found.reasons and found.reasons & bit]
    if held:
        seen = f"held back at this moment by {', '.join(held)}"
        yield Finding(f"{name} throttling", Status.WARNING, seen, "see to its cooling and power supply, or wait")
    yield _ecc(f"{name} ECC", found)
    yield _mig(f"{name} MIG", found)
    yield _persistence(f"{name} persistence", found)


def _set(found: GpuSettings, flag: str) -> str:
    return f"sudo nvidia-smi -i {found.gpu.index} {flag}"


def _untold(name: str, what: str) -> Finding:
    return Finding(name, Status.UNKNOWN, f"the GPU does not tell {what}")


def _power_limit(name: str, found: GpuSettings) -> Finding:
    limit, default, enforced = found.power_limit_w, found.power_default_w, found.power_enforced_w
    if limit is None:
        return _untold(name, "its power limit")
    if enforced is not None and enforced < limit - _SAME_W:
        seen = f"{limit:.0f} W are set, and {enforced:.0f} W hold: something else of the machine limits it"
        advice = "see `nvidia-smi -q -d POWER`, and the limits of the board and of the chassis"
        return Finding(name, Status.WARNING, seen, advice)
    if default is None:
        return Finding(name, Status.OK, f"{limit:.0f} W; the default is not told")
    if abs(limit - default) > _SAME_W:
        how = "capped at" if limit < default else "raised to"
        seen = f"{how} {limit:.0f} W; the default is {default:.0f} W: results hold for this limit only"
        return Finding(
            name, Status.WARNING, seen, f"unless you mean it: `{_set(found, f'--power-limit={default:.0f}')}`"
        )
    return Finding(name, Status.OK, f"{limit:.0f} W, the default")


def _clocks(name: str, found: GpuSettings) -> Finding:
    now, highest, fixed = found.clock_mhz, found.clock_highest_mhz, found.clock_application_mhz
    if highest is None:
        return _untold(name, "its clocks")
    if found.clock_application_default_mhz not in (None, fixed) and fixed is not None:
        return Finding(name, Status.OK, f"applications run at {fixed} MHz at most, of {highest}")
    advice = (
        f"lock them a little below the highest that it sustains: `{_set(found, '--lock-gpu-clocks=MHZ,MHZ')}`;"
        f" `{_set(found, '--reset-gpu-clocks')}` frees them"
    )
    if now is None or found.in_use is None:
        return Finding(name, Status.UNKNOWN, f"up to {highest} MHz; whether they are locked is not told", advice)
    if found.in_use:
        seen = f"{now} of {highest} MHz; whether they are locked shows only while nothing runs on it"
        return Finding(name, Status.UNKNOWN, seen, advice)
    if now >= _HOLDS_CLOCKS * highest:
        return Finding(name, Status.OK, f"locked, it seems: {now} of {highest} MHz, and nothing runs on it")
    seen = f"free: {now} MHz now, up to {highest} under load, as heat and power allow, so runs vary"
    return Finding(name, Status.WARNING, seen, advice)


def _ecc(name: str, found: GpuSettings) -> Finding:
    if found.ecc is None:
        return Finding(name, Status.NOT_NEEDED, "the GPU has no ECC that can be set")
    now, pending = found.ecc
    if now != pending:
        seen = f"{_on(now)}, and {_on(pending)} after the next reboot: runs before and after are not alike"
        return Finding(name, Status.WARNING, seen, f"reboot first, or `{_set(found, f'--ecc-config={int(now)}')}`")
    return Finding(name, Status.OK, "on" if now else "off: memory is larger and faster than that of others with ECC")


def _mig(name: str, found: GpuSettings) -> Finding:
    if found.mig is None:
        return Finding(name, Status.NOT_NEEDED, "the GPU cannot be sliced")
    now, pending = found.mig
    advice = f"`{_set(found, '--multi-instance-gpu=0')}`"
    if now:
        seen = "on: a slice's share of the energy cannot be told apart"
        return Finding(name, Status.WARNING, seen, advice)
    if pending:
        return Finding(name, Status.WARNING, "off, and on after the next reset of the GPU", advice)
    return Finding(name, Status.OK, "off")


def _persistence(name: str, found: GpuSettings) -> Finding:
    if found.persistence is None:
        return _untold(name, "its persistence mode")
    if not found.persistence:
        seen = "off: between runs the driver lets the GPU go, and with it locked clocks and power limits"
        return Finding(name, Status.WARNING, seen, f"`{_set(found, '--persistence-mode=1')}`")
    return Finding(name, Status.OK, "on")


def _on(mode: bool) -> str:
    return "on" if mode else "off"


def judge_host(found: HostSettings) -> Iterator[Finding]:
    """How the machine is set and loaded: governor, boost, SMT, limits of a container, load, battery."""
    yield _governor(found)
    yield _boost(found)
    if found.smt is not None:
        yield Finding("SMT", Status.OK, f"{_on(found.smt)}; {found.cpus} CPUs are shown")
    yield _limits(found)
    yield _load(found)
    if found.on_battery is None:
        yield Finding("power supply", Status.NOT_NEEDED, "there is no battery")
    elif found.on_battery:
        seen = "on battery: the machine saves power"
        yield Finding("power supply", Status.WARNING, seen, "plug it in")
    else:
        yield Finding("power supply", Status.OK, "not on battery")


def _governor(found: HostSettings) -> Finding:
    name = "CPU governor"
    if not found.governors:
        return Finding(name, Status.NOT_NEEDED, "the machine shows none, as is usual for a virtual one")
    seen = ", ".join(sorted(found.governors))
    if found.governors == {"performance"}:
        return Finding(name, Status.OK, seen)
    advice = "`sudo cpupower frequency-set --governor performance`, until the next boot"
    return Finding(name, Status.WARNING, f"{seen}: clocks follow the load, and lag behind it", advice)


def _boost(found: HostSettings) -> Finding:
    if found.boost is None:
        return Finding("CPU boost", Status.NOT_NEEDED, "the machine does not show whether it boosts its clocks")
    if not found.boost:
        return Finding("CPU boost", Status.OK, "off")
    off = 1 if found.boost_file and found.boost_file.name == "no_turbo" else 0
    seen = "on: where the CPU is what is measured, clocks follow its heat"
    return Finding("CPU boost", Status.OK, seen, f"to switch it off: `echo {off} | sudo tee {found.boost_file}`")


def _limits(found: HostSettings) -> Finding:
    limits = []
    if found.cpu_limit is not None and found.cpu_limit < found.cpus:
        limits.append(f"{found.cpu_limit:g} CPUs' worth of time, so processes are halted at times")
    if found.cpus_usable < found.cpus:
        limits.append(f"{found.cpus_usable} of {found.cpus} CPUs")
    memory, most = found.memory_bytes, found.memory_limit_bytes
    if most is not None and (memory is None or most < memory):
        limits.append(f"{most / _GIB:.1f} GiB of memory")
    if not limits:
        return Finding("CPU limits", Status.OK, "none")
    seen = f"this container or login may use {'; '.join(limits)}"
    return Finding("CPU limits", Status.WARNING, seen, "measure where the whole machine is yours")


def _load(found: HostSettings) -> Finding:
    if found.load is None:
        return Finding("load", Status.UNKNOWN, "the machine does not tell its load")
    seen = f"{found.load:.1f} of {found.cpus} CPUs were wanted over the last minute"
    if found.load > max(_BUSY_LEAST, _BUSY_SHARE * found.cpus):
        return Finding("load", Status.WARNING, f"{seen}: something computes, or did", "see `top`; wait, or end it")
    return Finding("load", Status.OK, seen)
