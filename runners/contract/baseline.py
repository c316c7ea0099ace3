"""What an idle power belongs to, in words that the host and the runner make alike. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from runners.contract.request import Baseline

_GPU = "gpu:"


def baseline_machine(hostname: str, boot_id: str, limits_w: Mapping[str, float | None]) -> str:
    """What a baseline holds for: this host since it was started, and these meters with their power limits.

    Args:
        hostname: of the machine.
        boot_id: changes whenever it starts; what it draws idle may, too.
        limits_w: the power limit of each source, by the source's name; None where it has none.
    """
    meters = sorted(name if limit_w is None else f"{name}@{limit_w:g}W" for name, limit_w in limits_w.items())
    return " ".join([hostname, boot_id, *meters])


def newest_fitting(
    baselines: Iterable[Baseline], hostname: str, boot_id: str, gpu_uuids: Collection[str]
) -> Baseline | None:
    """The newest baseline that may be of this machine and these GPUs; whether it is, the runner judges.

    The host cannot know which other meters a runner will find, nor the power limits; so those are not compared.
    """
    fitting = [one for one in baselines if _fits(one.machine, hostname, boot_id, gpu_uuids)]
    return max(fitting, key=lambda one: one.measured_at, default=None)


def _fits(machine: str, hostname: str, boot_id: str, gpu_uuids: Collection[str]) -> bool:
    host, _, rest = machine.partition(" ")
    boot, *meters = rest.split(" ")
    gpus = {meter.removeprefix(_GPU).partition("@")[0] for meter in meters if meter.startswith(_GPU)}
    return (host, boot, gpus) == (hostname, boot_id, set(gpu_uuids))
