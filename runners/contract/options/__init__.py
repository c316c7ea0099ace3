"""The parameters of every backend: type, range, default, unit and meaning, each once.

The campaign file, the flags, the JSON Schema, the documentation and the runner all take them from here. To add a
backend, write its module beside these and name it below.
"""

from __future__ import annotations

from typing import Final, get_args

from runners.contract.options import pytorch_rules, simulated, tensorrt, vllm
from runners.contract.options.base import AnyRules
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.options.simulated import SimulatedOptions
from runners.contract.options.tensorrt import TensorrtOptions
from runners.contract.options.vllm import VllmOptions

BackendOptions = PytorchOptions | VllmOptions | TensorrtOptions | SimulatedOptions

OPTIONS: Final[dict[str, type[BackendOptions]]] = {
    model.model_fields["backend"].default: model for model in get_args(BackendOptions)
}

OPTIONS_RULES: Final[dict[str, AnyRules]] = {
    "pytorch": pytorch_rules.RULES,
    "vllm": vllm.RULES,
    "tensorrt": tensorrt.RULES,
    "simulated": simulated.RULES,
}
