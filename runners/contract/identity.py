"""Who an experiment is: canonical JSON of what was declared, its hash, and a readable slug. Pure."""

from __future__ import annotations

import hashlib
import json
import re

from runners.contract.request import Experiment

IDENTITY_VERSION = 1
_SLUG_LENGTH = 64
_HASH_LENGTH = 16


def canonical_json(experiment: Experiment) -> str:
    """An experiment with all defaults as JSON, keys sorted, without white space; versioned.

    What later releases added is left out where it holds its default, so that what was declared before them keeps
    its identity.
    """
    options = experiment.options
    declared = experiment.model_dump(exclude=None if experiment.input_sha256 else {"input_sha256"})
    for name in options.LATER:
        if getattr(options, name) == type(options).model_fields[name].get_default(call_default_factory=True):
            del declared["options"][name]
    declared["version"] = IDENTITY_VERSION
    return json.dumps(declared, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def experiment_from(canonical: str) -> Experiment:
    """The experiment back from its canonical JSON."""
    declared = json.loads(canonical)
    declared.pop("version")
    return Experiment.model_validate(declared)


def experiment_id(experiment: Experiment, canonical: str) -> str:
    """``<backend>-<model>-<telling options>-<16 hex digits of the canonical JSON's SHA-256>``.

    Safe as a folder's name on any file system: ``[a-z0-9-]``, at most 81 characters.
    """
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{_slug(experiment)}-{digest}"


def hash_of(identity: str) -> int:
    """The hash at the end of an experiment_id, as the number it is: smaller than the text in a set of many."""
    return int(identity[-_HASH_LENGTH:], 16)


def _slug(experiment: Experiment) -> str:
    options = experiment.options
    parts = [experiment.backend, _short_name(experiment.model)]
    parts += [str(getattr(options, name)) for name in options.SLUG_FIELDS]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower())
    return slug[:_SLUG_LENGTH].strip("-")


def _short_name(model: str) -> str:
    return re.split(r"[/:]", model.split("@")[0].rstrip("/"))[-1][:32]
