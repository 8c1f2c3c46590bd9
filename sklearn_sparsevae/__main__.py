"""``python -m sklearn_sparsevae``: the command line."""

from collections.abc import Sequence

from sklearn_sparsevae.commands import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    return program.main(
        arguments, prog_name="python -m sklearn_sparsevae", standalone_mode=False
    )


def run() -> None:
    """Run the command of the console script ``sparsevae``."""
    program.main(prog_name="sparsevae")


if __name__ == "__main__":
    raise SystemExit(main())
