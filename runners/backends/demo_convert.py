"""``python -m runners.backends.demo_convert GGUF FOLDER``: plain bfloat16 weights out of a GGUF file.

A process of its own, since what a conversion leaves in memory would count as the first run's.
"""

from __future__ import annotations

import sys
from pathlib import Path


def convert(source: Path, target: Path) -> None:
    """Saves the weights of a GGUF file as plain bfloat16, with the tokenizer.

    Args:
        source: the GGUF file.
        target: the folder to write; made if it is not there.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    packed = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    config, weights = packed.config, packed.state_dict()
    if any(tensor.dtype != torch.bfloat16 for tensor in weights.values()):
        sys.exit("the weights stayed packed: use the transformers version of the extra 'pytorch'")
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(weights)  # refuses other shapes, as packed weights would have
    plain.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
