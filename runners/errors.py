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


class EngineMissingError(RunnerError):
    """The backend's engine is not installed."""

    kind = FailureKind.ENGINE_MISSING


class UnsupportedError(RunnerError):
    """This device cannot do what was asked for."""

    kind = FailureKind.UNSUPPORTED


class EngineError(RunnerError):
    """The engine did something else than what was asked."""

    kind = FailureKind.ENGINE_FAILED


class MeterError(RunnerError):
    """A meter could not be opened, vanished, or gave a reading that cannot be used."""

    kind = FailureKind.METER_FAILED


class DiskFullError(RunnerError):
    """A file of the attempt could not be written for want of space."""

    kind = FailureKind.DISK_FULL


class Interrupted(BaseException):
    """The runner was told to stop (SIGTERM or SIGINT); like KeyboardInterrupt, not for libraries to catch."""
