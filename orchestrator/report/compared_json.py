"""What was compared, for machines: figures in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.groups import Group
from orchestrator.report.comparing import Compared
from orchestrator.report.costs import Cost


def compared_json(compared: Compared) -> dict[str, Any]:
    """The answer as plain data."""
    costs = {id(cost.comparison): cost for cost in compared.costs}
    return {
        "campaigns": list(compared.pairs.tables),
        "metrics": list(compared.metrics),
        "prices": asdict(compared.prices),
        "pairs": [
            {
                "a": _group(pair.name_a, pair.a),
                "b": _group(pair.name_b, pair.b),
                "same_output": own[0].same_output if own else None,
                "comparisons": [_comparison(one, costs.get(id(one))) for one in own],
            }
            for pair, own in compared.by_pair()
        ],
        "made_how": dict(compared.caveats),
        "notes": list(compared.notes),
        "faults": list(compared.faults),
    }


def _group(name: str, group: Group) -> dict[str, Any]:
    frame = group.frame
    return {
        "name": name,
        "label": group.label,
        "campaign": str(frame["campaign"].iat[0]) if len(frame) else None,
        "key": dict(group.key),
        "runs": len(frame),
        "experiments": sorted(set(frame["experiment_id"])),
        "environments": sorted(set(frame["environment_id"])),
        "backends": sorted(set(frame["backend"])),
        "energy_methods": sorted(set(frame["energy_method"].dropna())),
        "left_out": [asdict(left) for left in group.left_out],
    }


def _comparison(one: Comparison, cost: Cost | None) -> dict[str, Any]:
    names = (
        "metric",
        "design",
        "p_value",
        "p_adjusted",
        "verdict",
        "cycles_more",
        "why_not",
        "meter_low",
        "meter_high",
    )
    intervals = ("ratio", "typical_a", "typical_b", "difference")
    return {
        **{name: getattr(one, name) for name in names},
        **{name: _plain(getattr(one, name)) for name in intervals},
        "unlike_gpus": one.unlike_gpus,
        "cost": cost
        and {
            "of": cost.work,
            "energy_j": _plain(cost.energy_j),
            "money": _plain(cost.money),
            "gco2e": _plain(cost.gco2e),
        },
    }


def _plain(value: Any) -> Mapping[str, Any] | None:
    return None if value is None else asdict(value)
