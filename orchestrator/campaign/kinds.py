"""What kind of file a YAML document is: a campaign, what campaigns extend, or something else. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal

from orchestrator.campaign.extends import EXTENDS

Kind = Literal["campaign", "base", "other"]

_TELLING: Final = frozenset({"model", "workload", "shared", "backends", "experiments", "measurement", EXTENDS})


def kind_of(document: Any) -> Kind:
    """What a file is, by its keys alone; whether it is right is for :func:`~orchestrator.campaign.load.load_campaign`.

    Returns:
        ``campaign``: it can be run, or was meant to be: it has a name, or extends another file. ``base``: it has no
        name and extends nothing, so it is there for others to extend. ``other``: it has nothing that only a campaign
        has.
    """
    if not isinstance(document, dict) or not _TELLING & document.keys():
        return "other"
    if "name" not in document and EXTENDS not in document:
        return "base"
    return "campaign"
