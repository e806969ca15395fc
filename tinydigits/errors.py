"""What goes wrong because of what the user gave."""


class InputError(Exception):
    """A wrong input: the message says what was found, what was expected and what to type.

    The command line prints it as one line on standard error and exits with 2.
    """


class NoDigit(InputError):  # noqa: N818 - it is an answer as much as an error
    """A picture holds no single digit; the message says what is there instead."""


class SeveralDigits(NoDigit):
    """A picture holds more than one digit."""
