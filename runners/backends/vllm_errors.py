"""From what vLLM says of wrong arguments to what a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from runners.contract.failures import kind_of_words
from runners.errors import BadRequestError, UnsupportedError


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Turns what the engine says of its arguments into failures of the right kind, in its own words.

    Args:
        where: the option whose further arguments it may speak of.

    Raises:
        BadRequestError: an argument or its value is wrong.
        UnsupportedError: this device, or this vLLM, cannot do it.
        ValueError: it tells of memory, the disk or the device, as it is: its words say of which kind the failure is.
    """
    import msgspec
    from vllm.exceptions import VLLMClientError

    try:
        yield
    except NotImplementedError as error:
        raise UnsupportedError(
            f"vLLM: {words_of(error)}", "leave out the option, or use a device that can do it"
        ) from error
    except (ValueError, TypeError, VLLMClientError, msgspec.ValidationError) as error:
        if kind_of_words(str(error), on_gpu=True):
            raise
        raise BadRequestError(
            f"vLLM: {words_of(error)}", f"change the option that it names, or what {where} adds"
        ) from error


def words_of(error: Exception) -> str:
    """What an error says, on one line; of a model's validation only what is wrong."""
    if isinstance(error, ValidationError):
        return "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors())
    return " ".join(str(error).split())
