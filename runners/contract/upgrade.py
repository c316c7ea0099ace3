"""Results of earlier versions brought up to this one, a step a version. Pure."""

from __future__ import annotations

from typing import Any


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """A result's document as this version would have written it; what was not measured then stays unmeasured.

    Args:
        document: of this version or an earlier one; it is not changed.
    """
    if document.get("schema_version") == 1:
        # Version 2 added fields, all of them with a value for "not measured".
        document = {**document, "schema_version": 2}
    return document
