"""Weights that are really in memory once a model is loaded on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_resident(model: Any) -> None:
    """Copies those weights into memory that still lie in the checkpoint's file, mapped and largely unread.

    Left there, they would be read from the disk in the warm-up or the window, and missing from the model's
    memory until then. ``parameters`` and ``buffers`` name a tensor once, however many modules share it, so
    what is tied stays tied. Weights that were converted to another type are in memory already.
    """
    files = _mapped_files()
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            if any(tensor.data_ptr() in addresses for addresses in files):
                tensor.data = tensor.data.clone()


def _mapped_files() -> list[range]:
    """The addresses of this process behind which there is a file."""
    found = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, *_, name = line.split(maxsplit=5)
        if name.startswith("/"):
            start, end = (int(address, 16) for address in addresses.split("-"))
            found.append(range(start, end))
    return found
