"""Engines installed in this environment: imported in a process of their own, since a broken one may take it along."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.system.doctor.finding import Finding, Status
from runners.contract.options import OPTIONS

_IMPORT_S = 180.0
_ANSWER = "ENGINE "
_PROBE = """\
import importlib, json, sys
versions = {name: str(getattr(importlib.import_module(name), "__version__", "?")) for name in sys.argv[1:]}
torch = sys.modules.get("torch")
cuda = torch.version.cuda if torch else None
found = {"versions": versions, "cuda": cuda, "sees_gpu": bool(cuda) and torch.cuda.is_available()}
print("\\nENGINE " + json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A backend's engine, as a fresh interpreter finds it."""

    missing: tuple[str, ...] = ()
    """Modules that are not installed."""
    error: str | None = None
    """Why it cannot be imported, though it is installed."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By module; empty if it cannot be imported, or the backend has no engine."""
    cuda: str | None = None
    """The CUDA it is built for; None: it is built without."""
    sees_gpu: bool = False


def find_engine(backend: str) -> Engine:
    """Import a backend's engine in a process of its own, if it is installed."""
    modules = OPTIONS[backend].MODULES
    if not modules:
        return Engine()
    missing = tuple(module for module in modules if importlib.util.find_spec(module) is None)
    if missing:
        return Engine(missing=missing)
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-P", "-c", _PROBE, *modules],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_IMPORT_S,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Engine(error=f"importing it takes longer than {_IMPORT_S:g} s")
    answer = next((line for line in done.stdout.splitlines() if line.startswith(_ANSWER)), None)
    if answer is None:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it says nothing"]
        killed = f"killed by signal {-done.returncode}: " if done.returncode < 0 else ""
        return Engine(error=killed + said[-1])
    return Engine(**json.loads(answer.removeprefix(_ANSWER)))


def backends(engines: Mapping[str, Engine]) -> Iterator[Finding]:
    """Which backends can run as processes of this machine."""
    for backend, engine in engines.items():
        name, advice = f"backend {backend}", OPTIONS[backend].INSTALL_HINT
        if engine.missing:
            yield Finding(name, Status.MISSING, f"{' and '.join(engine.missing)} not installed here", advice)
        elif engine.error:
            yield Finding(name, Status.BROKEN, f"installed, but cannot be imported: {engine.error}", advice)
        elif engine.versions:
            yield Finding(name, Status.OK, ", ".join(f"{module} {of}" for module, of in engine.versions.items()))
        else:
            yield Finding(name, Status.OK, "has no engine, and measures none")
