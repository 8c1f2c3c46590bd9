"""The program, how it ends, and ``info``.

Nothing that is slow to import is imported before it is known what to do, so that
``--help`` is there at once.
"""

import sys
import warnings

import click

from sklearn_sparsevae import __version__

BAD_FILES, WRONG, INTERRUPTED = 1, 2, 130

_EXAMPLES = """
\b
Examples:
  sparsevae denoise noisy/ restored/              each photo from itself
  sparsevae denoise stack.tif clean.tif --sigma 20
  sparsevae fit photos/ -o photos.model           a network for noise like 0 to 55
  sparsevae denoise noisy/ restored/ --model photos.model
  sparsevae segment photos/ masks/                label maps as PNG files
  sparsevae fit photos/ -o vae.model --estimator SparseCodingVAE
  sparsevae encode photos/ codes/ --model vae.model
  sparsevae decode codes/ back/ --model vae.model
  sparsevae info vae.model

\b
IN and OUT are files or folders. A TIFF file of many pages is restored page by
page. Files that are in OUT already are left as they are, so a command that was
interrupted goes on when it is given again; --overwrite starts anew.

\b
Exit code: 0, or 1 if files could not be read or restored (each has a line on
the error output), 2 if the command or the model is wrong, 130 after Ctrl-C.
"""


class _Program(click.Group):
    """A group of commands with exit codes of its own."""

    def main(self, args=None, prog_name=None, *, standalone_mode=True, **extra):
        """Run a command, and say in one line what is wrong with it."""
        code = self._ended_in(args, prog_name, extra)
        return sys.exit(code) if standalone_mode else code

    def list_commands(self, ctx):
        """Return names in the order in which they were added."""
        return list(self.commands)

    def _ended_in(self, args, prog_name, extra):
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _say_warning
                code = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            return WRONG
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted: give the command again to go on", err=True)
            return INTERRUPTED
        except (OSError, ValueError, TypeError, ImportError) as error:
            click.echo(f"error: {in_one_line(error)}", err=True)
            return WRONG
        return code or 0


def _say_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"warning: {in_one_line(message)}", err=True)


def in_one_line(error):
    """Text of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


@click.group(
    cls=_Program,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="sparsevae")
def program():
    """Restore, segment and encode files and folders of images.

    COMMAND --help says more of each, such as denoise --help.
    """


@program.command()
@click.argument("file")
def info(file):
    """Print what a file of a model, of codes or of a checkpoint holds."""
    from sklearn_sparsevae.persistence import describe_file

    click.echo(describe_file(file))
