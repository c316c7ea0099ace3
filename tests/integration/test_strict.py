from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = {
    "test_in_a_test.py": "import pytest\ndef test_it(): pytest.skip('no reason')\n",
    "test_by_a_mark.py": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "test_of_a_file.py": "import pytest\npytest.skip('no reason', allow_module_level=True)\n",
    "test_passing.py": "def test_it(): pass\n",
}


@pytest.mark.parametrize(("strict", "summary"), [("0", "1 passed, 3 skipped"), ("1", "1 failed, 1 passed, 2 errors")])
def test_strict_mode_turns_every_kind_of_skip_into_a_failure(strict: str, summary: str, tmp_path: Path) -> None:
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--continue-on-collection-errors"]
    environment = {**os.environ, "ORCHESTRATE_TEST_STRICT": strict, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*argv, "-c", os.devnull, "--rootdir", tmp_path, tmp_path],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert summary in done.stdout
