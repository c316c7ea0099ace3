"""What an image, or this environment, says of itself before the first run: ``python -m runners BACKEND --describe``."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from runners.contract.model import ContractModel

DESCRIPTION_VERSION: Final = 1


class EngineField(ContractModel):
    """An argument that an engine takes."""

    type: str = Field(description="as the engine annotates it")
    default: str | None = Field(None, description="as Python would print it; null: it has none, or makes it up")


class Engine(ContractModel):
    """The engine of a backend, as it describes itself."""

    version: str = Field(description="name and version, such as 'vllm 0.32.0'; of several parts, with commas")
    fields: dict[str, dict[str, EngineField]] = Field(
        default_factory=dict,
        description="what may be passed on to it, for each of the options' PASSED_ON: the names it has, sorted",
    )


class Description(ContractModel):
    """What the host needs to know of a runner before it starts one."""

    description_version: Literal[1] = DESCRIPTION_VERSION
    contract_version: int
    backend: str
    options_sha256: str = Field(description="of this backend's options; another's do not matter")
    engine: Engine | None = Field(None, description="null where the engine cannot be imported")
    engine_error: str | None = Field(None, description="why it cannot")
    git_commit: str | None = None
