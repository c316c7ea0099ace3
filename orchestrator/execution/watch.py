"""The GPUs of a run watched from outside while it runs: is anybody else on them, are they still there.

Beside the run a thread looks about once a second, since a driver that hangs must not keep the run's time limits from
being held. What it sees is in ``host.json`` at once, so that it outlives an orchestrator that is killed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from orchestrator.execution.supervise import Verdict
from orchestrator.files import write_durably
from orchestrator.results.reading import read_host_report
from orchestrator.system.gpu_state import GpuLostError, GpuSession, Tenant, process_name, told_by_pid
from orchestrator.system.vacancy import describe, displays
from runners.contract.host import ALONE_ON_HOST, NO_DISPLAY, NO_OTHER_PROCESS, HostReport, Neighbour, OtherProcess
from runners.contract.paths import HOST, FailureKind
from runners.contract.request import Gpu
from runners.contract.result import Check

_PERIOD_S = 1.0
_AGAIN_S = 0.25
_LOST_GRACE_S = 10.0
"""The runner's own meter notices a lost GPU too, and can say more of it."""
_HUNG_S = 5.0
_NAMED = 5

Owned = Callable[[Collection[int]], Collection[int]]
"""Tells which of some processes belong to the run."""
Names = Callable[[int], str | None]


@dataclass(slots=True)
class Record:
    """What was seen of a run's GPUs so far."""

    gpus: Sequence[Gpu]
    watched_from: datetime
    blind: str | None = None
    """Why it cannot be told whose a process is."""
    looks: int = 0
    failed_looks: int = 0
    last_fault: str | None = None
    others: dict[tuple[str, int], OtherProcess] = field(default_factory=dict)
    """By GPU and process."""
    neighbours: dict[str, Neighbour] = field(default_factory=dict)
    """By run_id."""
    _ours: set[int] = field(default_factory=set)
    _strange: set[int] = field(default_factory=set)
    """Not ours at the last look."""

    def note(self, tenants: Mapping[str, Iterable[Tenant]], owned: Owned, name_of: Names, now: datetime) -> bool:
        """Take in a look.

        One of ours may end between the look and the question whose it is. So a process counts once it is nobody's of
        ours in two looks running.

        Args:
            tenants: who is on each GPU, by UUID.
            owned: tells which of them are the run's.
            name_of: tells what they are called.
            now: when the look was.

        Returns:
            Whether somebody was not ours for the first time, so that another look should follow soon.
        """
        self.looks += 1
        if self.blind:
            return False
        present = {tenant.pid for there in tenants.values() for tenant in there}
        self._ours |= set(owned(present - self._ours)) if present - self._ours else set()
        strange = present - self._ours
        for uuid, there in tenants.items():
            others = [tenant for tenant in there if tenant.pid in strange]
            drawing = displays(others)
            for tenant in others:
                if tenant.pid in self._strange:
                    self._add(uuid, tenant, tenant in drawing, name_of, now)
        again = bool(strange - self._strange)
        self._strange = strange
        return again

    def _add(self, uuid: str, tenant: Tenant, display: bool, name_of: Names, now: datetime) -> None:
        before = self.others.get((uuid, tenant.pid))
        held = [size for size in (tenant.memory_bytes, before.memory_bytes if before else None) if size is not None]
        self.others[uuid, tenant.pid] = OtherProcess(
            pid=tenant.pid,
            name=before.name if before and before.name else name_of(tenant.pid),
            gpu=uuid,
            display=display and (before is None or before.display),
            memory_bytes=max(held, default=None),
            first_seen_at=before.first_seen_at if before else now,
            looks=1 + (before.looks if before else 0),
        )

    def beside(self, neighbours: Iterable[Neighbour]) -> bool:
        """Take in who is at work on this host at the same time; whether somebody is new."""
        known = len(self.neighbours)
        self.neighbours |= {one.run_id: one for one in neighbours}
        return len(self.neighbours) > known

    def report(self, until: datetime | None) -> HostReport:
        """What there is to report; ``until`` is None while the run is watched."""
        others = [self.others[key] for key in sorted(self.others)]
        return HostReport(
            watched_from=self.watched_from,
            watched_until=until,
            looks=self.looks,
            failed_looks=self.failed_looks,
            others=others,
            neighbours=list(self.neighbours.values()),
            checks=[
                *_no_other_process(self, others, ended=until is not None),
                *_no_display(self, others),
                *_alone(list(self.neighbours.values())),
            ],
        )


class GpuWatch:
    """Watches an attempt's GPUs for as long as the context lasts.

    Args:
        folder: of the attempt, where the report goes.
        gpus: those that are measured.
        owned: tells which processes belong to the attempt.
        neighbours: tells which runs were at work at the same time so far.
    """

    def __init__(
        self,
        folder: Path,
        gpus: Sequence[Gpu],
        owned: Owned,
        neighbours: Callable[[], Sequence[Neighbour]] = lambda: (),
    ) -> None:
        self._file = folder / HOST
        self._gpus = gpus
        self._owned = owned
        self._neighbours = neighbours
        self._record = _begun(folder, gpus)
        self._lost: tuple[float, GpuLostError] | None = None
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="gpu-watch", daemon=True)

    def __enter__(self) -> GpuWatch:
        self._write(None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_HUNG_S)
        with self._writing:
            self._closed = True
        if self._thread.is_alive():
            self._record.failed_looks += 1
            self._record.last_fault = f"the last look did not end within {_HUNG_S:g} s"
        self._save(datetime.now(UTC))

    def fault(self) -> Verdict | None:
        """Why the run cannot be saved: a GPU is lost, and the runner did not end by itself."""
        lost = self._lost
        if lost is None or time.monotonic() - lost[0] < _LOST_GRACE_S:
            return None
        return Verdict(FailureKind.METER_FAILED, str(lost[1]), lost[1].hint or "look at `dmesg`")

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with GpuSession(self._gpus) as session:
                    while not self._stop.wait(_AGAIN_S if self._look(session) else _PERIOD_S):
                        pass
            except GpuLostError as error:
                self._lost = self._lost or (time.monotonic(), error)
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (a watcher that fails must not end the run, and is told of)
                self._failed(error)
            self._stop.wait(_PERIOD_S)

    def _look(self, session: GpuSession) -> bool:
        known = len(self._record.others)
        again = self._record.note(session.tenants(), self._owned, process_name, datetime.now(UTC))
        self._lost = None
        if self._record.beside(self._neighbours()) or len(self._record.others) > known:
            self._write(None)
        return again

    def _failed(self, error: Exception) -> None:
        self._record.failed_looks += 1
        self._record.last_fault = str(error) or type(error).__name__

    def _write(self, until: datetime | None) -> None:
        """Once the watch is over, the folder belongs to others."""
        with self._writing:
            if not self._closed:
                self._save(until)

    def _save(self, until: datetime | None) -> None:
        self._record.beside(self._neighbours())
        with contextlib.suppress(OSError):  # on a full disk the run fails by itself
            write_durably(self._file, self._record.report(until).model_dump_json(indent=2) + "\n")


def _begun(folder: Path, gpus: Sequence[Gpu]) -> Record:
    """An empty record; or, for a run that was found alive, what the orchestrator saw that began it."""
    blind = None if told_by_pid(gpus) else "in a container it cannot be told whose a process on a GPU is"
    before = read_host_report(folder)
    if before is None:
        return Record(gpus, datetime.now(UTC), blind)
    return Record(
        gpus,
        before.watched_from,
        blind,
        before.looks,
        before.failed_looks + 1,
        "nobody watched until another orchestrator took the run over",
        {(other.gpu, other.pid): other for other in before.others},
        {neighbour.run_id: neighbour for neighbour in before.neighbours},
    )


def _no_other_process(record: Record, others: Sequence[OtherProcess], *, ended: bool) -> list[Check]:
    strangers = [other for other in others if not other.display]
    looks = record.looks + record.failed_looks
    if strangers:
        return [
            Check(
                name=NO_OTHER_PROCESS,
                passed=False,
                severity="critical",
                observed=_named(record, strangers),
                hint=f"run it again with nothing else on the GPU; `ps -p {strangers[0].pid}` says what that was",
            )
        ]
    doubt = record.blind
    if doubt is None and not ended:
        doubt = "the orchestrator that watched was killed before the run ended"
    if doubt is None and (record.failed_looks or not record.looks):
        doubt = f"{record.failed_looks} of {looks} looks failed: {record.last_fault or 'there was no time for one'}"
    if doubt is None:
        return [
            Check(
                name=NO_OTHER_PROCESS,
                passed=True,
                severity="critical",
                observed=f"nobody else in {looks} {'look' if looks == 1 else 'looks'}",
            )
        ]
    return [
        Check(
            name=NO_OTHER_PROCESS,
            passed=False,
            severity="warning",
            observed=f"nobody else was seen, but {doubt}",
            hint="see yourself that nothing else used the GPU, or run it again",
        )
    ]


def _no_display(record: Record, others: Sequence[OtherProcess]) -> list[Check]:
    desktop = [other for other in others if other.display]
    if not desktop:
        return []
    return [
        Check(
            name=NO_DISPLAY,
            passed=False,
            severity="warning",
            observed=_named(record, desktop),
            hint="a desktop draws some power on the run's account: measure without one, or on another GPU",
        )
    ]


def _alone(neighbours: Sequence[Neighbour]) -> list[Check]:
    if not neighbours:
        return []
    counted = "1 other run" if len(neighbours) == 1 else f"{len(neighbours)} other runs"
    return [
        Check(
            name=ALONE_ON_HOST,
            passed=False,
            severity="warning",
            observed=f"{counted} of the campaign at work meanwhile, on GPUs of their own",
            hint="neighbours share power and heat: compare what ran among as many, or leave parallel: out",
        )
    ]


def _named(record: Record, others: Sequence[OtherProcess]) -> str:
    indices = {gpu.uuid: gpu.index for gpu in record.gpus}
    looks = record.looks + record.failed_looks
    texts = [
        f"{describe(Tenant(other.pid, other.display, other.memory_bytes), other.name)}"
        f" on GPU {indices.get(other.gpu, other.gpu)} in {other.looks} of {looks} looks"
        for other in others[:_NAMED]
    ]
    more = [f"and {len(others) - _NAMED} more"] if len(others) > _NAMED else []
    return "; ".join([*texts, *more])
