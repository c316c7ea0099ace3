"""``until:`` of a campaign file: how well each experiment is to be known before it is repeated no more. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from runners.contract.model import ContractModel
from runners.contract.quantities import QUANTITIES

MOST_CYCLES: Final = 1_000_000


def _quantity(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError("must be a quantity of results")
    return name


class Until(ContractModel):
    """When an experiment is known well enough; the others go on."""

    metric: Annotated[str, AfterValidator(_quantity)] = Field(
        description="the quantity that is to be known, such as energy_per_output_token_j or ttft_s.p95",
        json_schema_extra={"enum": list(QUANTITIES)},
    )
    relative_half_width: float = Field(
        gt=0, lt=1, description="how well: half the width of its 95 % interval, relative to it; 0.02 is ± 2 %"
    )
    min_cycles: int = Field(5, ge=3, le=MOST_CYCLES, description="cycles that every experiment is run in any case")
    max_cycles: int = Field(
        60, ge=3, le=MOST_CYCLES, description="cycles after which it ends, known well enough or not"
    )

    @model_validator(mode="after")
    def _min_before_max(self) -> Until:
        if self.min_cycles > self.max_cycles:
            raise ValueError(f"min_cycles {self.min_cycles} is more than max_cycles {self.max_cycles}")
        return self

    def __str__(self) -> str:
        return f"{self.metric} is known to ± {100 * self.relative_half_width:.3g} %"
