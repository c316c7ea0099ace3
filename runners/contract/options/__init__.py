"""The parameters of every backend: type, range, default, unit and meaning, each once.

The campaign file, the flags, the JSON Schema, the documentation and the runner all take them from here. To add a
backend, write its module beside these, and name its model below: docs/how-to/add-a-backend.md.
"""

from __future__ import annotations

import sys
from typing import Final, get_args

from runners.contract.options.base import AnyRules
from runners.contract.options.llamacpp import LlamacppOptions
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.options.vllm import VllmOptions

BackendOptions = PytorchOptions | VllmOptions | TensorrtOptions | LlamacppOptions | SimulatedOptions

OPTIONS: Final[dict[str, type[BackendOptions]]] = {
    model.model_fields["backend"].default: model for model in get_args(BackendOptions)
}

OPTIONS_RULES: Final[dict[str, AnyRules]] = {
    backend: vars(sys.modules[model.__module__])["RULES"] for backend, model in OPTIONS.items()
}
"""``RULES`` of each model's module."""
