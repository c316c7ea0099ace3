"""Run by the images' own interpreter: prints, as JSON, what a process in a container is and may do."""

import errno
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pydantic

import runners


def status(pid: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def written(folder: str) -> str:
    """``ok``, or why a file cannot be made there."""
    file = Path(folder) / "orchestrate-test"
    try:
        file.write_text("x")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


def executed(file: Path) -> str:
    file.write_text("#!/bin/sh\necho ran\n")
    file.chmod(0o755)
    return subprocess.run([str(file)], capture_output=True, text=True, check=True).stdout.strip()


def compiled(package: ModuleType) -> bool:
    """Whether every module has bytecode that the interpreter will take: made of this very file."""
    for source in Path(package.__path__[0]).rglob("*.py"):
        header = Path(importlib.util.cache_from_source(str(source))).read_bytes()[:16]
        flags, modified, size = (int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12))
        if (flags, modified, size) != (0, int(source.stat().st_mtime), source.stat().st_size):
            return False
    return True


first = status("1")
print(
    json.dumps(
        {
            "user": [os.getuid(), os.getgid(), os.getgroups()],
            "home": str(Path.home()),
            "status": status("self"),
            "first": [first["Name"], *first["Uid"].split()],
            "written": {folder: written(folder) for folder in ("/results", "/cache", "/tmp", "/campaigns", "/var/tmp")},
            "executed": executed(Path("/tmp/script")),
            "source": sorted(os.listdir(Path(runners.__path__[0]).parent)),
            "found": [name for name in ("orchestrator", "tests") if importlib.util.find_spec(name)],
            "compiled": [compiled(package) for package in (runners, pydantic)],
        }
    )
)
Path("/cache/orchestrate-test").unlink(missing_ok=True)
