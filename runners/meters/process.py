"""Memory of a process, as the kernel accounts for it."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessMemory:
    """Resident memory of a process without its children; the kernel's file stays open, since opening it costs most.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        try:
            self._file: int | None = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = None

    def resident_bytes(self) -> int | None:
        """What is resident now; None where it cannot be read."""
        if self._file is None:
            return None
        try:
            return int(os.pread(self._file, 128, 0).split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return None

    def close(self) -> None:
        """Closes the kernel's file."""
        if self._file is not None:
            os.close(self._file)


def reset_peak_resident() -> bool:
    """Lets this process's peak of resident memory count from here; returns whether the kernel does so."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_resident_bytes() -> int | None:
    """The most that was resident of this process since :func:`reset_peak_resident`; None where it cannot be read."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else None


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process without its children, once; None where it cannot be read."""
    memory = ProcessMemory(pid)
    try:
        return memory.resident_bytes()
    finally:
        memory.close()
