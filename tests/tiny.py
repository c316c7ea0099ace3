"""A language model of two layers with random weights: what an engine does with it takes no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def tiny_model(folder: Path, *, hidden: int = 64, layers: int = 2, seed: int = 0) -> Path:
    """Saves one, with the demo model's tokenizer."""
    import torch
    import transformers

    from runners.backends.demo import demo_folder

    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_folder("smollm2-135m"))
    config = transformers.LlamaConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=4096,
    )
    torch.manual_seed(seed)
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_adapter(folder: Path, model: Path) -> Path:
    """Saves a LoRA adapter to it with random weights, which change what it says."""
    import peft
    import transformers

    declared: Any = peft.LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(model), declared).save_pretrained(folder)
    return folder
