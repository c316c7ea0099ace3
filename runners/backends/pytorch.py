"""Hugging Face transformers on PyTorch: static batches through ``generate``, in one process or in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from runners.backends import pytorch_group
from runners.backends.base import Batch, DeviceMemory, Timing, TokenIds
from runners.backends.pytorch_config import generation_fields
from runners.backends.pytorch_load import Located, locate_all
from runners.backends.pytorch_overridden import overridden
from runners.backends.pytorch_place import place_of
from runners.backends.pytorch_replica import Replica
from runners.backends.pytorch_workers import Workers
from runners.contract.description import Engine
from runners.contract.flops import Architecture
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import RunRequest


class PytorchBackend:
    """A causal language model of transformers; its copies or parts in other processes, where there are several.

    Args:
        request: what to run.
        options: its options for this backend.
        alive: called at every step of a batch.

    Raises:
        BadRequestError: the devices that were asked for are not there, or are not those that are metered.
    """

    def __init__(self, request: RunRequest, options: PytorchOptions, alive: Callable[[], None]) -> None:
        self._request = request
        self._options = options
        self._alive = alive
        self._replica = Replica(request, options, place_of(0, request, options), alive)
        self._workers: Workers | None = None
        self._located: Located
        self._reports: list[dict[str, Any]] | None = None
        self._memory: list[DeviceMemory | None] | None = None

    @property
    def version(self) -> str:
        """Versions of transformers and torch."""
        return _version()

    @property
    def device(self) -> str:
        """``cpu``, or each GPU with its name."""
        own = self._replica.place
        if not own.on_gpu or self._workers is None:
            return own.name
        return ", ".join([own.name, *(report["config"]["device"] for report in self._reported())])

    @property
    def prefix(self) -> list[int]:
        """What the tokenizer puts before a text by itself."""
        return list(self._replica.tokenizer("")["input_ids"])

    def prepare(self) -> None:
        """Finds the models, and converts or downloads what is not here yet."""
        self._located = locate_all(self._request)

    def model_files(self) -> list[Path]:
        """The folders of the model, of an assistant and of an adapter."""
        return [part.folder for part in self._located if part is not None]

    def load(self) -> None:
        """Starts the other processes, loads all that is needed in each, and makes sure that it is what was asked for.

        Raises:
            RunnerError: it is not, or does not fit the model or the device; or another process failed.
        """
        if self._options.processes > 1:
            self._start()
        located = [part and [str(part.folder), part.revision] for part in self._located]
        self._together("load", lambda: self._replica.load(self._located), located=located)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special tokens."""
        return list(self._replica.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def synchronize(self) -> None:
        """Waits for this process's GPUs; the others' are idle whenever they are not in a batch."""
        self._replica.synchronize()

    def open_window(self) -> None:
        """Seeds the sampling again, and lets peaks of memory count from here."""
        self._together("open_window", self._replica.open_window)

    def generate(self, prompts: Sequence[TokenIds]) -> Batch:
        """Answers one batch: in one process, together with the others, or shared out among them.

        Raises:
            BadRequestError: prompt and answer do not fit into the model's context.
            WorkerError: another process failed or ended.
        """
        if self._workers is None:
            return self._replica.generate(prompts)
        every = [list(prompt) for prompt in prompts]
        if self._options.tensor_parallel_size > 1:
            return self._workers.do("generate", lambda: self._replica.generate(every), prompts=every)[0]
        share = pytorch_group.share_of(self._replica.place, every)
        own, others = self._workers.do("generate", lambda: self._replica.generate(share), prompts=every)
        return _joined([own, *(Batch(*part) for part in others if part is not None)])

    def device_memory(self) -> DeviceMemory | None:
        """Of all GPUs and processes, summed; None on a CPU in one process, whose memory the sampler sees."""
        if self._workers is None and not self._replica.place.on_gpu:
            return None
        return _summed(self._memories())

    def architecture(self) -> Architecture | None:
        """As the model's configuration tells; None for a kind of model whose FLOPs are not known."""
        return self._replica.architecture()

    def effective_config(self) -> dict[str, Any]:
        """What engine and models say of themselves, in each process.

        Raises:
            EngineError: torch.compile was asked for and compiled nothing.
        """
        own = self._replica.effective_config()
        found = {
            **own,
            "device": self.device,
            "folder": str(self._located.model.folder),
            "revision": self._located.model.revision,
            "batch_size": self._options.batch_size,
            "seed": self._request.seed,
        }
        for name, part in (("assistant", self._located.assistant), ("adapter", self._located.adapter)):
            if part is not None:
                named = {"folder": str(part.folder), "revision": part.revision, "merged": self._options.adapter_merged}
                found[f"{name}_model"] = named if name == "adapter" else {k: named[k] for k in ("folder", "revision")}
        if self._workers is None:
            return found
        processes = [own, *(report["config"] for report in self._reported())]
        parts = [
            {"rank": rank, **{name: config[name] for name in _OF_A_PROCESS}, "memory_bytes": part and list(part)}
            for rank, (config, part) in enumerate(zip(processes, self._memories(), strict=True))
        ]
        return {**found, "group": pytorch_group.read_group(), "processes": parts}

    def overridden(self) -> list[str]:
        """What the engine did otherwise than asked, in any process."""
        configs = [self._replica.effective_config(), *(report["config"] for report in self._reported())]
        return list(dict.fromkeys(one for config in configs for one in overridden(self._options, config)))

    def close(self) -> None:
        """Lets the models go, gives their memory back, and ends the other processes."""
        if self._workers is None:
            self._replica.close()
            return
        self._together("close", self._leave)
        self._workers.close()
        self._workers = None

    def _leave(self) -> None:
        self._replica.close()
        pytorch_group.leave()

    def _start(self) -> None:
        world = self._options.processes
        threads = self._options.num_threads or torch.get_num_threads()
        if self._options.num_threads is None and not self._replica.place.on_gpu:
            threads = max(1, threads // world)
            torch.set_num_threads(threads)  # the others are started with as many
        self._workers = Workers(self._request, world, threads, self._alive)
        self._together("ready", lambda: None)  # else one that cannot start would be waited for below
        os.environ.update(pytorch_group.environment_of(0, world, threads))
        store = pytorch_group.open_store(world)
        self._together("join", lambda: pytorch_group.join(self._replica.place, world, store), port=store.port)

    def _together(self, command: str, own: Callable[[], None], **arguments: Any) -> None:
        if self._workers is None:
            own()
        else:
            self._workers.do(command, own, **arguments)

    def _memories(self) -> list[DeviceMemory | None]:
        """Of each process, by its rank; read once, after the window: what is told of it later must be the same."""
        if self._memory is None:
            others = [report["memory"] and DeviceMemory(*report["memory"]) for report in self._reported()]
            self._memory = [self._replica.memory(), *others]
        return self._memory

    def _reported(self) -> list[dict[str, Any]]:
        """What the other processes say of themselves; asked once, after the window."""
        if self._workers is None:
            return []
        if self._reports is None:
            self._reports = self._workers.do("report", lambda: None)[1]
        return self._reports


_OF_A_PROCESS = ("device", "torch_num_threads", "compiled_graphs")


def _joined(parts: Sequence[Batch]) -> Batch:
    """One batch of what several processes did at the same time; each request keeps the moments of its own."""
    timings = []
    for part in parts:
        times = part.token_times_s
        timing = Timing(None, times[0], times[-1], times) if times else Timing(None, None, part.end_s)
        timings += [timing] * len(part.outputs)
    outputs = [output for part in parts for output in part.outputs]
    return Batch(min(part.start_s for part in parts), max(part.end_s for part in parts), None, outputs, timings)


def _summed(parts: Sequence[DeviceMemory | None]) -> DeviceMemory | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    reserved = [part.reserved_bytes for part in known if part.reserved_bytes is not None]
    return DeviceMemory(
        sum(part.model_bytes for part in known),
        sum(part.peak_bytes for part in known),
        sum(reserved) if len(reserved) == len(known) else None,
    )


def describe() -> Engine:
    """Versions of transformers and torch, and what may stand in ``generation_args``."""
    return Engine(version=_version(), fields={"generation_args": generation_fields()})


def _version() -> str:
    return f"transformers {transformers.__version__}, torch {torch.__version__}"


BACKEND = PytorchBackend
