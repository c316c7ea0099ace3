"""Parameters of the ``simulated`` backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runners.contract.options.base import Options, OptionsRule


class SimulatedOptions(Options):
    """Options of the ``simulated`` backend: no engine, no model; everything it yields says so."""

    SUMMARY: ClassVar[str] = "no engine, no model; everything it yields says so"
    SLUG_FIELDS: ClassVar[tuple[str, ...]] = ("batch_size",)
    MODULES: ClassVar[tuple[str, ...]] = ()
    INSTALL_HINT: ClassVar[str] = ""
    MODEL_FILE: ClassVar[str | None] = None

    backend: Literal["simulated"] = "simulated"
    batch_size: int = Field(1, ge=1, le=65_536, description="prompts generated together (static batching)")
    tokens_per_s: float = Field(1000.0, gt=0, le=1e9, description="output tokens a second of one sequence")
    spread: float = Field(
        0.05, ge=0, le=1, description="standard deviation of the time between tokens, relative to its mean"
    )
    power_w: float = Field(100.0, ge=0, le=1e6, description="power drawn throughout")
    load_s: float = Field(0.0, ge=0, le=86_400, description="time that loading takes")
    fail: Literal["crash", "hang", "out_of_memory", "gpu_out_of_memory", "unsupported", "hang_at_start"] | None = Field(
        None, description="fail so: while it loads where it ends with at_start, else halfway through the window"
    )
    fail_attempts: int | None = Field(None, ge=1, description="fail in the first attempts only; null: in each one")

    @property
    def may_use_gpu(self) -> bool:
        """No engine, no GPU."""
        return False

    def handed_at_once(self, prompts: int) -> int:
        """A batch."""
        return self.batch_size


RULES: tuple[OptionsRule[SimulatedOptions], ...] = (
    OptionsRule(
        "fail-attempts-needs-fail",
        "fail_attempts does nothing without fail",
        lambda o: o.fail_attempts is not None and o.fail is None,
    ),
)
