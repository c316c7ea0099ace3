"""What an import costs: each checked in a clean interpreter, where no other test has loaded anything."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINES = {"torch", "transformers", "vllm", "tensorrt_llm"}
HEAVY = ENGINES | {"pandas", "pyarrow", "scipy", "docker", "pynvml"}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a statement loads, the standard library's left out."""
    code = (
        "import json, sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "after = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(after - set(sys.stdlib_module_names))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def modules(package: str) -> list[str]:
    files = (ROOT / package.replace(".", "/")).rglob("*.py")
    names = [str(file.relative_to(ROOT).with_suffix("")).replace("/", ".") for file in files]
    return sorted(name.removesuffix(".__init__") for name in names)


def test_the_command_line_starts_without_anything_heavy() -> None:
    assert not loaded_by("import orchestrator.cli") & (HEAVY | {"pydantic", "rich", "yaml", "filelock", "psutil"})


def test_the_library_costs_nothing_until_it_is_used() -> None:
    assert loaded_by("import orchestrator") == {"orchestrator"}


def test_no_module_of_the_host_loads_an_engine_nvml_or_pandas_when_imported() -> None:
    names = modules("orchestrator")
    assert "orchestrator.execution.loop" in names
    assert not loaded_by(f"import {', '.join(names)}") & HEAVY


def test_only_the_console_draws() -> None:
    drawing = [name for name in modules("orchestrator") if not name.startswith("orchestrator.cli")]
    assert not loaded_by(f"import {', '.join(drawing)}") & {"rich", "click"}


def test_the_contract_needs_pydantic_and_the_standard_library_only() -> None:
    loaded = loaded_by(f"import {', '.join(modules('runners.contract'))}")
    its_own = {"annotated_types", "typing_extensions", "typing_inspection"}
    found = {name for name in loaded - its_own if not name.startswith("_sysconfigdata")}
    assert found == {"pydantic", "pydantic_core", "runners"}


@pytest.mark.parametrize("file", sorted((ROOT / "runners").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT)))
def test_runners_parse_on_the_oldest_python_of_an_image(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 10))
