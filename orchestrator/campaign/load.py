"""A YAML file -> a :class:`Campaign`; everything that is wrong, with file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.campaign.axes import Grid, resolve_grids
from orchestrator.campaign.document import MAX_DEPTH, Document, FieldPath, field_name, read_document
from orchestrator.campaign.expand import Funnel, none_left, points
from orchestrator.campaign.extends import extended
from orchestrator.campaign.findings import Finding
from orchestrator.campaign.groups import TOGETHER
from orchestrator.campaign.inputs import (
    count_prompts,
    file_sha256,
    model_fingerprint,
    model_folder,
    prompt_file,
)
from orchestrator.campaign.keys import Places, known_part, unknown_keys
from orchestrator.campaign.schema import Campaign, CampaignFile, Schedule
from orchestrator.campaign.settings import Failures, Gaps, Notify
from orchestrator.campaign.until import Until
from orchestrator.errors import FileError, InputError, Issue
from runners.contract.messages import nearest, validation_messages
from runners.contract.names import PART_FILES, is_prompt_file
from runners.contract.options import OPTIONS
from runners.contract.quantities import QUANTITIES
from runners.contract.request import Measurement, Warmup, Workload

_PLACES: Places = {
    (): CampaignFile,
    ("measurement",): Measurement,
    ("measurement", "warmup"): Warmup,
    ("gaps",): Gaps,
    ("failures",): Failures,
    ("notify",): Notify,
    ("schedule",): Schedule,
    ("until",): Until,
}
"""Where keys are fixed by the grammar."""
_LOOKED_AT = 50_000
"""Points that are made while a file is read, at most."""


def load_campaign(path: str | Path) -> Campaign:
    """Read and check a campaign file.

    Raises:
        FileError: it is wrong; every fault is in ``issues``, with line and field.
        InputError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    document = read_document(path)
    try:
        return campaign_from_document(document, path.resolve().parent, path)
    except FileError as error:
        raise FileError(error.issues, path) from None


def campaign_from_mapping(declared: dict[str, Any], folder: str | Path = ".") -> Campaign:
    """The same from Python: a campaign declared as a mapping with the keys of a campaign file.

    Args:
        declared: what the YAML file would hold.
        folder: where relative paths of models and prompt files begin.

    Raises:
        FileError: it is wrong; every fault is in ``issues``, with its field.
    """
    _require_text_keys(declared, ())
    return campaign_from_document(Document(declared), Path(folder).resolve())


def _require_text_keys(value: Any, path: FieldPath) -> None:
    """From YAML keys are always text, and there is an end to its depth; from Python they may be anything."""
    if len(path) > MAX_DEPTH:
        raise FileError([Issue(f"nested more than {MAX_DEPTH} levels deep", field=field_name(path[:3]))])
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise FileError([Issue(f"a key must be text, not {key!r}", field=field_name(path))])
            _require_text_keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _require_text_keys(inner, (*path, index))


def campaign_from_document(document: Document, folder: Path, path: Path | None = None) -> Campaign:
    """Check a document against the grammar, the backends' options and the files it names.

    Args:
        document: of the campaign.
        folder: its file's.
        path: its file, if it has one.

    Raises:
        FileError: it is wrong.
    """
    document, folder = extended(document, folder, path)
    if not isinstance(document.data, dict):
        hint = "begin with name:, model: and backends:"
        raise FileError([Issue("a campaign is a mapping of keys", line=document.line(()), hint=hint)])
    findings = [*unknown_keys(document.data, _PLACES), *_repeated_in_two_ways(document.data)]
    file = _validated(document.data, findings)
    if file is None:
        raise FileError(_issues(findings, document))
    campaign = Campaign(file=file, folder=folder)
    grids, found = resolve_grids(file)
    datasets, faults = _dataset_hashes(campaign)
    findings += [*found, *faults, *_idle_longer_than_the_run(file)]
    if not findings:
        models, faults = _model_fingerprints(grids, folder)
        campaign = campaign.model_copy(update={"dataset_sha256": datasets, "model_sha256": models})
        findings += faults
        findings += _refused_points(campaign, grids)
        findings += _short_prompt_files(campaign, grids)
    if not findings:
        findings += _nothing_left(campaign, grids)
    if findings:
        raise FileError(_issues(findings, document))
    return campaign


def _issues(findings: list[Finding], document: Document) -> list[Issue]:
    return [
        Issue(f.message, field_name(f.path), document.line(f.path), f.hint, file=document.file(f.path))
        for f in sorted(findings, key=lambda f: (document.file(f.path) or "", document.line(f.path) or 0))
    ]


def _validated(data: dict[str, Any], findings: list[Finding]) -> CampaignFile | None:
    """The file as a model; its faults are added to the findings. Unknown keys are among those already."""
    try:
        file = CampaignFile.model_validate(known_part(data, _PLACES))
    except ValidationError as error:
        findings += [Finding(path, message, _hint(path, data)) for path, message in validation_messages(error)]
        return None
    return None if findings else file


def _hint(path: FieldPath, data: dict[str, Any]) -> str | None:
    if path == ("name",) and "name" in data:
        return "a name holds a-z, 0-9 and -, begins with a letter or digit, and has at most 64 characters"
    if path == ("until", "metric"):
        metric = data["until"].get("metric")
        return nearest(metric, QUANTITIES) if isinstance(metric, str) else "such as energy_per_output_token_j"
    return None


def _repeated_in_two_ways(data: dict[str, Any]) -> Iterator[Finding]:
    if "cycles" in data and data.get("until") is not None:
        yield Finding(("cycles",), "stands beside until, which says how often itself", "leave one of them out")


def _idle_longer_than_the_run(file: CampaignFile) -> Iterator[Finding]:
    """Idle times that leave nothing of the time that a run may take."""
    asked = {name: getattr(file.measurement, name) or 0.0 for name in ("baseline_s", "loaded_idle_s")}
    if sum(asked.values()) >= file.timeout_s:
        names = " + ".join(name for name, seconds in asked.items() if seconds)
        message = f"{names} = {sum(asked.values()):g} s do not fit into timeout_s = {file.timeout_s:g} s"
        longest = max(asked, key=lambda name: asked[name])
        yield Finding(("measurement", longest), message, "shorten them, or raise timeout_s")


def _dataset_hashes(campaign: Campaign) -> tuple[dict[str, str], list[Finding]]:
    hashes: dict[str, str] = {}
    findings = []
    for path, dataset in _named(campaign.file, "dataset"):
        if isinstance(dataset, str) and dataset and is_prompt_file(dataset):
            try:
                hashes[dataset] = file_sha256(prompt_file(dataset, campaign.folder))
            except InputError as error:
                findings.append(Finding(path, str(error), error.hint))
    return hashes, findings


def _named(file: CampaignFile, key: str) -> Iterator[tuple[FieldPath, Any]]:
    places: list[tuple[FieldPath, Any]] = [(("workload", key), file.workload.get(key))]
    for index, point in enumerate(file.experiments):
        workload = point.get("workload")
        if isinstance(workload, dict):
            places.append((("experiments", index, "workload", key), workload.get(key)))
    groups = file.workload.get(TOGETHER)
    for name, group in groups.items() if isinstance(groups, dict) else ():
        for index, point in enumerate(group if isinstance(group, list) else ()):
            if isinstance(point, dict):
                places.append((("workload", TOGETHER, name, index, key), point.get(key)))
    for path, value in places:
        if isinstance(value, list):
            yield from (((*path, index), item) for index, item in enumerate(value))
        else:
            yield path, value


def _model_fingerprints(grids: list[Grid], folder: Path) -> tuple[dict[str, str], list[Finding]]:
    """Local models, those that options name too, and those that are not there or not for what is to load them."""
    hashes: dict[str, str] = {}
    findings = []
    for (model, holds), path in _models_named(grids).items():
        try:
            local = model_folder(model, folder, holds)
            if local and model not in hashes:
                hashes[model] = model_fingerprint(local)
        except InputError as error:
            findings.append(Finding(path, str(error), error.hint))
    return hashes, findings


def _models_named(grids: list[Grid]) -> dict[tuple[str, tuple[str, ...]], FieldPath]:
    """Each model that is named, with patterns of which its folder holds one, and a place that names it."""
    named: dict[tuple[str, tuple[str, ...]], FieldPath] = {}
    for grid in grids:
        file = OPTIONS[grid.backend].MODEL_FILE
        if file:
            named |= {(model, (file,)): (*grid.path, "model") for model in grid.models}
        for option, models in grid.options:
            if option in OPTIONS[grid.backend].MODEL_FIELDS:
                place = (*(grid.path or ("backends", grid.backend)), option)
                named |= {(model, PART_FILES): place for model in models if model is not None}
    return named


def _short_prompt_files(campaign: Campaign, grids: list[Grid]) -> Iterator[Finding]:
    """Prompt files with fewer lines than prompts are asked for."""
    for dataset in campaign.dataset_sha256:
        lines = count_prompts(prompt_file(dataset, campaign.folder))
        for grid in grids:
            points = grid.workload_points("dataset", "prompts")
            counts = (point.get("prompts", Workload().prompts) for point in points if point.get("dataset") == dataset)
            asked = max(counts, default=0)
            if lines < asked:
                message = f"{dataset} holds {lines} prompts, and workload.prompts asks for {asked}"
                yield Finding((*grid.path, "workload", "dataset"), message, "ask for fewer, or add some")


def _nothing_left(campaign: Campaign, grids: list[Grid]) -> list[Finding]:
    """A campaign whose every point a rule forbids; one with very many points is left to its planning."""
    funnel = Funnel()
    try:
        found = any(True for _ in points(campaign, grids, funnel, _LOOKED_AT))
    except FileError as error:
        return [Finding(("backends",), issue.message) for issue in error.issues]
    if found or funnel.declared == _LOOKED_AT:
        return []
    return [Finding(("backends",), none_left(funnel))]


def _refused_points(campaign: Campaign, grids: list[Grid]) -> Iterator[Finding]:
    """Points that somebody wrote out and a rule forbids: said here, where the line is known."""
    for grid in grids:
        if grid.path:
            try:
                for _ in points(campaign, [grid], Funnel()):
                    pass
            except FileError as error:
                yield from (Finding(grid.path, issue.message) for issue in error.issues)
