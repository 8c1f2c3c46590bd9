"""What is wrong with a file, in words."""

import contextlib


class Refused(ValueError):
    """Why a file is not read; whoever knows its name puts that in front."""


@contextlib.contextmanager
def naming_damage():
    """Make errors in words of what decoders raise at files that are no whole images."""
    try:
        yield
    except Refused:
        raise
    # At garbled files they raise what Python raises anywhere: OSError, SyntaxError,
    # KeyError, OverflowError, struct.error, AssertionError, MemoryError.
    except Exception as error:
        raise Refused(
            f"no whole image that can be read ({type(error).__name__}). Replace the "
            "file, or leave it out."
        ) from error
