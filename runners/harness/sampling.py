"""The sampler's process as the harness sees it: started before the load, read along, stopped after the window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

from runners.contract import paths
from runners.contract.result import MeterSource
from runners.errors import DiskFullError, MeterError
from runners.harness.recording import Recording, Tick, TornLineError, parse_header, parse_tick
from runners.logs import LOGGER
from runners.meters.choose import Spec

_HINT = "look at runner.log; if the machine is short of memory, something may have killed the sampler"
_STOP_S = 10.0
_FOLLOW_S = 4.0


class Sampler:
    """A running sampler; use it in a ``with`` statement.

    Args:
        spec: what it samples.
        host_samples: where the host writes what only it can sample; None: it does not.

    Raises:
        MeterError: on entering, if the meters cannot be opened.
        DiskFullError: if there is no space for the samples.
    """

    def __init__(self, spec: Spec, host_samples: Path | None = None) -> None:
        path = Path(spec.samples).resolve()
        self._folder = path.parent
        self._spec = spec._replace(samples=str(path))
        self._samples = [_Samples(path), *([_Samples(host_samples)] if host_samples else [])]

    def __enter__(self) -> Sampler:
        # Nothing in the folder that the user stands in may pass for a module: Python 3.11 and later leave the
        # working folder out of the search, and for 3.10 it is that of the samples, where there are no modules.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runners.meters"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        try:
            self._tell(json.dumps(self._spec._asdict()).encode() + b"\n")
            if not self._answer().get("ready"):
                raise MeterError("the sampler's first words were not understood", _HINT)
            recording = self.recording()
        except BaseException:
            self._end()
            raise
        for source in recording.sources:
            LOGGER.info("metering %s: %s, scope %s", source.name, source.method, source.scope)
        for note in recording.notes:
            LOGGER.info("%s", note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def check(self) -> None:
        """Makes sure that the sampler is alive.

        Raises:
            MeterError: it has died, or gave up because a meter vanished.
            DiskFullError: it gave up because the disk is full.
        """
        if self._process.poll() is not None:
            self._answer()
            raise MeterError(f"the sampler ended before its time (exit code {self._process.returncode})", _HINT)

    def recording(self) -> Recording:
        """Everything that has been sampled so far; what the host sampled comes after what was sampled here.

        Raises:
            MeterError: a line of the samples is torn.
        """
        try:
            parts = [samples.read() for samples in self._samples]
        except TornLineError as error:
            raise MeterError(str(error), "run it again; if it recurs, look for a full disk") from error
        if len(parts) == 1:
            return parts[0]
        return parts[0].beside(parts[1])

    def power_w(self) -> float | None:
        """The latest power of what is metered, in watts, if there is one yet."""
        return self.recording().latest_power_w()

    def follow(self, end_s: float) -> None:
        """Waits until the samples reach far enough past a moment for the energy up to it to have bounds.

        A counter that stands still is not waited for longer than 4 s or five samples; the slowest take 1 s.

        Args:
            end_s: the moment, on CLOCK_MONOTONIC.
        """
        limit_s = time.monotonic() + max(_FOLLOW_S, 5 / self._spec.sample_hz)
        while time.monotonic() < limit_s:
            self.check()
            if _reaches(self.recording(), end_s):
                return
            time.sleep(0.02)
        LOGGER.warning("the samples do not reach far enough for bounds of the energy: a counter stands still")

    def _end(self) -> None:
        """Ends the sampler by closing its standard input, and by force if it does not listen."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: bytes) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise MeterError("the sampler ended before it began", _HINT) from error

    def _answer(self) -> dict[str, Any]:
        """The next line that the sampler says; a failure that it reports is raised."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise MeterError(f"the sampler died (exit code {code})", _HINT)
        answer: dict[str, Any] = json.loads(line)
        failed = answer.get("failed")
        if failed:
            kind = DiskFullError if failed["kind"] == paths.FailureKind.DISK_FULL.value else MeterError
            raise kind(failed["message"], failed["hint"])
        return answer


class _Samples:
    """A file of samples that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._header: tuple[tuple[MeterSource, ...], tuple[str, ...]] | None = None
        self._ticks: list[Tick] = []

    def read(self) -> Recording:
        """What is in it by now.

        Raises:
            TornLineError: a line is not what a sampler writes.
            MeterError: the file is not there.
        """
        try:
            opened = self._path.open("rb")
        except FileNotFoundError:
            raise MeterError(f"there are no samples {self._path.name}", _HINT) from None
        with opened as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # still being written
                if self._header is None:
                    self._header = parse_header(line)
                else:
                    self._ticks.append(parse_tick(line, len(self._ticks) + 2))
                self._offset += len(line)
        sources, notes = self._header or ((), ())
        return Recording(sources, notes, self._ticks)


def _reaches(recording: Recording, end_s: float) -> bool:
    """Whether each source's samples go on for long enough after a moment."""
    if not recording.ticks or recording.ticks[-1].t_s < end_s:
        return False
    for source in recording.sources:
        edges = recording.edges(source.name)
        # A counter that fell does not tell the energy, however long one waits; the result says so.
        fell = any(after.energy_j < before.energy_j for before, after in pairwise(edges))
        # The last update of a GPU's may hold its energy late, so the one before it has to be past the moment.
        needed = 2 if source.kind == "gpu" else 1
        if source.has_counter and not fell and (len(edges) < needed or edges[-needed].earliest_s < end_s):
            return False
        if not source.has_counter and all(reading.t_s < end_s for reading in recording.readings(source.name)):
            return False
    return True
