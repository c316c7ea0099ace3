"""What both sides are asked: the same prompts in the same round, and how they talk to the benchmark."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable

PROMPTS = 8
INPUT_TOKENS = 64
OUTPUT_TOKENS = 48
SEED = 7
DTYPE = "bfloat16"
VLLM = {"max_num_seqs": PROMPTS, "enforce_eager": True, "kv_cache_memory_bytes": 2**29}


def prompts_of(number: int) -> list[list[int]]:
    """The prompts of a round, fresh in each: no cache of prefixes helps."""
    draw = random.Random(number)
    return [[draw.randrange(100, 40_000) for _ in range(INPUT_TOKENS)] for _ in range(PROMPTS)]


def serve(work: Callable[[list[list[int]]], tuple[float, list[list[int]]]]) -> None:
    """Works a round for each line of standard input; tells how long it took, and a hash of the answers."""
    print("\nbench: ready", flush=True)
    for line in sys.stdin:
        seconds, answers = work(prompts_of(int(line)))
        assert all(len(answer) == OUTPUT_TOKENS for answer in answers)
        print(f"\nbench: {seconds} {hashlib.sha256(str(answers).encode()).hexdigest()}", flush=True)
