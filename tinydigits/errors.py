"""Errors caused by the user's input, and how the command line reports them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class InputError(Exception):
    """The user's input is wrong; the message says what was found, expected, and what to type next.

    The command line prints the message as one line on standard error and exits with code 2.
    """


class NoDigit(InputError):  # noqa: N818 - as much an answer as an error
    """A picture does not hold exactly one digit; the message says what was found instead."""


class SeveralDigits(NoDigit):
    """A picture holds more than one digit."""


@contextmanager
def extra(name: str, wanted: str) -> Iterator[None]:
    """Turn a failed import inside the block into a hint: ``wanted`` needs the extra ``name``.

    Raises:
        InputError: an import failed.
    """
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"{wanted} needs {error.name}, which is not installed: type "
            f"pip install 'tinydigits[{name}]'"
        ) from error


def warn(message: str | None) -> None:
    """Print a warning as one line on standard error; do nothing if ``message`` is empty or None."""
    if message:
        print(f"warning: {message}", file=sys.stderr)


def exit_code(run: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; print an InputError as one line and return 2."""
    try:
        return run() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
