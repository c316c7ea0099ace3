"""What can go wrong in a runner, each with its kind and with what to do next. Standard library only."""

from __future__ import annotations

import errno

from runners.contract.paths import FailureKind

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system calls a full disk."""


class RunnerError(Exception):
    """A failure that the runner understands.

    Args:
        message: what happened.
        hint: what to do next.
    """

    kind = FailureKind.ENGINE_FAILED

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class BadRequestError(RunnerError):
    """The request cannot be carried out as it stands."""

    kind = FailureKind.BAD_REQUEST


class ModelNotFoundError(RunnerError):
    """The model is not there, or may not be had."""

    kind = FailureKind.MODEL_NOT_FOUND


class ModelGatedError(RunnerError):
    """The hub has the model and refuses it."""

    kind = FailureKind.MODEL_GATED


class EngineMissingError(RunnerError):
    """The backend's engine is not installed."""

    kind = FailureKind.ENGINE_MISSING


class EngineBrokenError(RunnerError):
    """The backend's engine is installed and cannot be imported."""

    kind = FailureKind.ENGINE_BROKEN


class EngineError(RunnerError):
    """The engine did something else than what was asked."""

    kind = FailureKind.ENGINE_FAILED


class UnsupportedError(RunnerError):
    """The engine cannot do what was asked, on this device or at all."""

    kind = FailureKind.UNSUPPORTED


class MeterError(RunnerError):
    """A meter could not be opened, vanished, or gave a reading that cannot be used."""

    kind = FailureKind.METER_FAILED


class DiskFullError(RunnerError):
    """A file could not be written for want of space, or there is too little of it for what is to come."""

    kind = FailureKind.DISK_FULL


class Interrupted(BaseException):
    """The runner was told to stop (SIGTERM or SIGINT); like KeyboardInterrupt, not for libraries to catch."""
