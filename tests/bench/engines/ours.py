"""Our side: the window as a run has it, with the sampler beside it and the events written."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from runners.backends.create import create
from runners.contract.request import RunRequest
from runners.events import EventWriter
from runners.harness.measure import _Clock, _window
from runners.harness.run import _spec
from runners.harness.sampling import Sampler
from runners.logs import configure
from tests.bench.engines import work


def main(backend: str) -> None:
    """Loads the engine and works on demand."""
    configure()
    options = {"batch_size": work.PROMPTS} if backend == "pytorch" else work.VLLM
    request = RunRequest.model_validate(
        {
            "campaign": "bench",
            "experiment_id": "e-1",
            **dict.fromkeys(("cycle", "cycles", "attempt"), 1),
            "order_index": 0,
            "seed": work.SEED,
            "experiment": {
                "model": "demo:smollm2-135m",
                "workload": {"prompts": work.PROMPTS, "output_tokens": work.OUTPUT_TOKENS},
                "options": {"backend": backend, "dtype": work.DTYPE, **options},
            },
        }
    )
    folder = Path("/results")
    events = EventWriter(os.open(folder / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    engine = create(request, events.alive)
    engine.prepare()
    with Sampler(_spec(request, [], folder / "samples.jsonl")) as sampler:
        engine.load()
        sampler_process = sampler._process

        def round_of(prompts: list[list[int]]) -> tuple[float, list[list[int]]]:
            sampler_process.send_signal(signal.SIGCONT)
            clock = _Clock(engine)
            batches, _ = _window(engine, request, [prompts], sampler, clock, events)
            sampler_process.send_signal(signal.SIGSTOP)
            mark = clock.marks[-1]
            return mark.end_s - mark.start_s, [answer for _, batch in batches for answer in batch.outputs]

        work.serve(round_of)
        sampler_process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    main(sys.argv[1])
