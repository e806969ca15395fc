"""What goes wrong because of what the user gave."""


class InputError(Exception):
    """A wrong input: the message says what was found, what was expected and what to type.

    The command line prints it as one line on standard error and exits with 2.
    """
