"""In a process of its own: matrix products, steadily or in bursts. ``python -m tests.gpu.check.loads JSON``.

The JSON has ``device`` (cuda or cpu), ``uuid``, ``loads`` (lists of name, seconds on, seconds off, length) and
``pause_s``. It says ``{"ready", "cuda"}`` first, and after each load ``{"load", "start_s", "end_s"}`` in seconds
of CLOCK_MONOTONIC, the device synchronised at both ends.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tests.gpu.check.children import require_device, say

_LARGEST = {"cuda": 8192, "cpu": 256}
_SMALLEST = 128
_ONE_PRODUCT_S = 0.0025
_BETWEEN_LOOKS_S = 0.005


class Burner:
    """Large matrix products on one device.

    Args:
        torch: the module.
        device: ``cuda`` or ``cpu``.
    """

    def __init__(self, torch: Any, device: str) -> None:
        self._torch = torch
        self._device = device
        size = _LARGEST[device]
        while True:
            self._make(size)
            product_s = self._time()
            if product_s <= _ONE_PRODUCT_S or size <= _SMALLEST:
                break
            size //= 2
        self._at_once = max(1, int(_BETWEEN_LOOKS_S / product_s))

    def until(self, end_s: float) -> None:
        """Computes up to a moment of CLOCK_MONOTONIC, give or take 5 ms."""
        while time.monotonic() < end_s:
            for _ in range(self._at_once):
                self._multiply()
            self.synchronize()

    def synchronize(self) -> None:
        """Waits for the device."""
        if self._device == "cuda":
            self._torch.cuda.synchronize()

    def _make(self, size: int) -> None:
        torch = self._torch
        dtype = torch.float32
        if self._device == "cuda":
            dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        self._left, self._right, self._product = (
            torch.randn(size, size, device=self._device).to(dtype) for _ in range(3)
        )

    def _multiply(self) -> None:
        self._torch.mm(self._left, self._right, out=self._product)

    def _time(self) -> float:
        """Seconds of one product, once warm."""
        for _ in range(3):
            self._multiply()
        self.synchronize()
        start_s = time.monotonic()
        for _ in range(5):
            self._multiply()
        self.synchronize()
        return (time.monotonic() - start_s) / 5


def main() -> None:
    """Carries the loads out."""
    asked = json.loads(sys.argv[1])
    import torch

    device = asked["device"]
    require_device(torch, device, asked["uuid"])
    burner = Burner(torch, device)
    say({"ready": True, "cuda": torch.version.cuda})
    for name, on_s, off_s, length_s in asked["loads"]:
        time.sleep(asked["pause_s"])
        burner.synchronize()
        start_s = time.monotonic()
        end_s = start_s + length_s
        while (now_s := time.monotonic()) < end_s:
            burner.until(min(now_s + on_s, end_s) if off_s else end_s)
            if off_s:
                time.sleep(max(0.0, min(off_s, end_s - time.monotonic())))
        burner.synchronize()
        say({"load": name, "start_s": start_s, "end_s": time.monotonic()})


if __name__ == "__main__":
    main()
