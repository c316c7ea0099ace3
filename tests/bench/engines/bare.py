"""The other side: the engine called as its documentation shows, greedy and of a fixed length; nothing of ours."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.bench.engines import work

MODEL = str(Path(os.environ["XDG_CACHE_HOME"]) / "orchestrate/models/smollm2-135m-bfloat16-1")


def pytorch() -> None:
    """transformers' generate on one batch."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=getattr(torch, work.DTYPE)).eval()
    config = GenerationConfig(
        do_sample=False,
        min_new_tokens=work.OUTPUT_TOKENS,
        max_new_tokens=work.OUTPUT_TOKENS,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=model.generation_config.pad_token_id,
    )

    def round_of(prompts: list[list[int]]) -> tuple[float, list[list[int]]]:
        started_s = time.monotonic()
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            found = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
        answers = found[:, work.INPUT_TOKENS :].tolist()
        return time.monotonic() - started_s, answers

    work.serve(round_of)


def vllm() -> None:
    """vLLM's LLM.generate, without progress bars and, as by default, without statistics."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # as ours: one process
    from vllm import LLM, SamplingParams, TokensPrompt

    engine = LLM(MODEL, dtype=work.DTYPE, seed=work.SEED, **work.VLLM)
    sampling = SamplingParams(
        temperature=0.0,
        min_tokens=work.OUTPUT_TOKENS,
        max_tokens=work.OUTPUT_TOKENS,
        ignore_eos=True,
        detokenize=False,
    )

    def round_of(prompts: list[list[int]]) -> tuple[float, list[list[int]]]:
        started_s = time.monotonic()
        asked = [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts]
        found = engine.generate(asked, sampling, use_tqdm=False)
        answers = [list(one.outputs[0].token_ids) for one in found]
        return time.monotonic() - started_s, answers

    work.serve(round_of)


if __name__ == "__main__":
    {"pytorch": pytorch, "vllm": vllm}[sys.argv[1]]()
