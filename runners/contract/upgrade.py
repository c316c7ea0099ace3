"""Documents of earlier versions brought up to this one, a step a version. Pure."""

from __future__ import annotations

from typing import Any

_MEASURED_THEN: dict[str, Any] = {"baseline_s": 0.0, "loaded_idle_s": 0.0, "warmup": {"iterations": 1}}
"""What a measurement was in version 1 where it said nothing."""


def upgraded_result(document: dict[str, Any]) -> dict[str, Any]:
    """A result as this version would have written it; what was not measured then stays unmeasured.

    Args:
        document: of this version or an earlier one; it is not changed.
    """
    if document.get("schema_version") == 1:
        # Versions 2 to 4 added fields, all of them with a value for "not measured".
        document = {**document, "schema_version": 2}
    if document.get("schema_version") == 2:
        document = {**document, "schema_version": 3}
    if document.get("schema_version") == 3:
        document = {**document, "schema_version": 4}
    return document


def upgraded_request(document: dict[str, Any]) -> dict[str, Any]:
    """A request as this version would have written it, meaning what it meant.

    Args:
        document: of this version or an earlier one; it is not changed.
    """
    if document.get("contract_version") == 1:
        document = {
            **document,
            "contract_version": 2,
            "measurement": {**_MEASURED_THEN, **document.get("measurement", {})},
        }
    if document.get("contract_version") == 2:
        # Version 3 added further backends, and what they need; older requests name none of that.
        document = {**document, "contract_version": 3}
    if document.get("contract_version") == 3:
        # Version 4 added order, gap, cold start and concurrency: what older requests are silent of was not so.
        document = {**document, "contract_version": 4}
    return document
