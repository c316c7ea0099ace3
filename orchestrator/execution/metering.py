"""Whether what a campaign asks to be measured with can be had on this machine; seen before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import MachineError
from orchestrator.system.powercap import counters, powercap_root, unreadable
from runners.contract.request import Gpu, Measurement

_NEED_GPU = ("nvml", "zeus")


def require_meter(measurement: Measurement, gpus: Sequence[Gpu], environ: Mapping[str, str]) -> None:
    """See that the meter that is asked for by name can be read.

    Args:
        measurement: of the campaign.
        gpus: what its runs get.
        environ: the environment, which may name the folder of RAPL's counters.

    Raises:
        MachineError: it cannot.
    """
    meter = measurement.meter
    if meter in _NEED_GPU and not gpus:
        raise MachineError(
            f"measurement.meter is {meter}, and the campaign's runs get no GPU",
            hint="name one in gpus, where there is one (`orchestrate doctor`); or set meter: auto",
        )
    if meter != "rapl":
        return
    root = powercap_root(environ)
    if not counters(root):
        raise MachineError(
            f"measurement.meter is rapl, and there are no RAPL counters under {root}",
            hint="virtual machines have none, as a rule; set meter: auto to estimate instead",
        )
    if error := unreadable(root):
        raise MachineError(
            f"measurement.meter is rapl, and its counters cannot be read: {error.strerror} ({error.filename})",
            hint="run as root, or let this user read them: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
        )
