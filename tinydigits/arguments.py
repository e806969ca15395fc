"""Parse arguments into a subcommand with its options, or into a one-line error."""

import io
import re
from contextlib import redirect_stderr
from typing import Any, Protocol, get_args, get_type_hints

import tyro

from tinydigits.errors import InputError
from tinydigits.train.recipes import RECIPES, options_of

# Sections of tyro's message: a repeated help text, and hints at options of other subcommands.
UNWANTED = r"Argument helptext|Perhaps you meant:.* in tinydigits .*--help"


class Runnable(Protocol):
    """A subcommand with its options."""

    def run(self) -> int | None:
        """Run the subcommand and return its exit code; None means 0."""
        ...


def parse(commands: Any, arguments: list[str]) -> Runnable:
    """Return the subcommand named by the arguments, one of the union ``commands``.

    Raises:
        InputError: the arguments name no subcommand, or an option is unknown or invalid.
        SystemExit: the arguments include ``--help``; the help has been printed.
    """
    arguments = _with_all_data(_with_recipe(arguments))
    wanted, names = _named(commands, arguments)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            command: Runnable = tyro.cli(
                wanted,
                prog=" ".join(["tinydigits", *names]),
                args=arguments[len(names) :],
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code == 0:  # --help
            raise
        raise InputError(_one_line(complaint.getvalue())) from None
    return command


def _named(commands: Any, arguments: list[str]) -> tuple[Any, list[str]]:
    """Return the subcommand that the first arguments name, and these arguments.

    tyro then suggests options of this subcommand only. A subcommand that has others below it, such
    as ``export``, has them as its only field.
    """
    names = list[str]()
    for argument in arguments:
        chosen = next((each for each in get_args(commands) if _name(each) == argument), None)
        if chosen is None:
            break
        names.append(argument)
        hints = get_type_hints(chosen)
        commands = hints["form"] if list(hints) == ["form"] else chosen
    return commands, names


def _name(command: type) -> str:
    return command.__name__.lower()


def _with_recipe(arguments: list[str]) -> list[str]:
    """Insert the last named recipe's options before all others, so that the others override it."""
    command, rest = arguments[:1], arguments[1:]
    if command not in (["train"], ["study"]):
        return arguments
    for number, argument in reversed(list(enumerate(rest))):
        flag, _, value = argument.partition("=")
        name = value or "".join(rest[number + 1 : number + 2])
        if flag == "--recipe" and name in RECIPES:
            return [*command, *options_of(name), *rest]
    return arguments


def _with_all_data(arguments: list[str]) -> list[str]:
    """Join all values of ``--data`` behind the first: those of a recipe add to those given.

    Raises:
        InputError: the option has no value.
    """
    if arguments[:1] not in (["train"], ["study"]):
        return arguments
    rest, values = list[str](), list[str]()
    is_value = False
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if flag == "--data":
            is_value = not equals
            values += [value] if equals else []
        elif is_value and not argument.startswith("-"):
            values.append(argument)
        else:
            is_value = False
            rest.append(argument)
    if is_value and not values:
        raise InputError("--data names no digits: give mnist, synthetic, or a path of your own")
    return [*rest, "--data", *values] if values else rest


def _one_line(box: str) -> str:
    """Return tyro's framed message as one line, without title, frame, colours and help texts."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", box)
    # The frame consists of line characters; terminals without them get no frame.
    _title, *lines = [line for line in (line.strip(" │") for line in text.splitlines()) if line]
    inside = "\n".join(line for line in lines if not line.startswith("╰"))
    sections = [" ".join(section.split()) for section in re.split(r"(?m)^[─-]{4,}$", inside)]
    told = (each for each in sections if each and not re.match(UNWANTED, each))
    return "; ".join(told)
