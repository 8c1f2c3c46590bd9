"""Code at the size that tests run it: ``n_epochs = 5  # quick: 1`` becomes 1."""

import ast
import re

_ASSIGNMENT = re.compile(r"(?P<target>\s*\w+ = )(?P<full>.+?)  # quick: (?P<quick>.+)")


def reduced(source):
    """Return source in which every literal is replaced that names a quick one.

    Raises
    ------
    ValueError
        If a line says ``# quick:`` after something else than a name's literal.
    """
    return "\n".join(map(_reduced_line, source.split("\n")))


def _reduced_line(line):
    if "# quick:" not in line:
        return line
    found = _ASSIGNMENT.fullmatch(line)
    try:
        for part in ("full", "quick"):
            ast.literal_eval(found[part])
    except (TypeError, SyntaxError, ValueError):
        raise ValueError(
            f"Got the line {line!r}; expected 'name = literal  # quick: literal'."
        ) from None
    return found["target"] + found["quick"]
