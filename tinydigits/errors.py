"""What goes wrong because of what the user gave."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class InputError(Exception):
    """A wrong input: the message says what was found, what was expected and what to type.

    The command line prints it as one line on standard error and exits with 2.
    """


class NoDigit(InputError):  # noqa: N818 - it is an answer as much as an error
    """A picture holds no single digit; the message says what is there instead."""


class SeveralDigits(NoDigit):
    """A picture holds more than one digit."""


@contextmanager
def extra(name: str, wanted: str) -> Iterator[None]:
    """Explain a failed import in the block: ``wanted`` needs an extra of this package.

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
    """Print one line of warning on standard error, where there is something to warn of."""
    if message:
        print(f"warning: {message}", file=sys.stderr)


def exit_code(run: Callable[[], int | None]) -> int:
    """Run a command; return its exit code, or 2 where an input is wrong, told in one line."""
    try:
        return run() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
