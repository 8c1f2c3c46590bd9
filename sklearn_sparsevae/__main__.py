"""``python -m sklearn_sparsevae info FILE``: what a file of ours holds."""

import argparse
import sys

from sklearn_sparsevae.persistence import describe_file


def main(arguments: list[str] | None = None) -> int:
    """Print a table; return 0, or 2 where a file is none of ours or damaged."""
    parser = argparse.ArgumentParser("python -m sklearn_sparsevae")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser(
        "info",
        help="print what a file of a model, of codes or of a checkpoint holds",
    )
    info.add_argument("file")
    try:
        print(describe_file(parser.parse_args(arguments).file))
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
