"""What was declared for a run, flat. Pure."""

from __future__ import annotations

import json
from typing import Any

from runners.contract.options import OPTIONS
from runners.contract.result import RunResult


def parameters(result: RunResult) -> dict[str, Any]:
    """What was declared for a run, flat, under dotted names: ``pytorch.batch_size``.

    Each argument that is passed on has a name of its own, ``vllm.engine_args.max_model_len``; what it holds in turn,
    and any list, is JSON as text.
    """
    experiment = result.experiment
    declared: dict[str, Any] = {"model": experiment.model}
    declared |= {f"workload.{name}": value for name, value in experiment.workload.model_dump().items()}
    for name, value in experiment.options.model_dump(exclude={"backend"}).items():
        declared |= _flat(f"{experiment.backend}.{name}", value)
    return declared


def shown(value: Any) -> str:
    """A parameter's value as text."""
    if value is None:
        return "—"
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_default(backend: str, name: str, value: Any) -> bool:
    """Whether a value is the default of a backend's own parameter; None: it was left open."""
    info = OPTIONS[backend].model_fields.get(name) if name != "backend" else None
    return info is not None and bool(value == _compact(info.get_default(call_default_factory=True)))


def _flat(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"{name}.{key}": _compact(inner) for key, inner in value.items()}
    return {name: _compact(value)}


def _compact(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value
