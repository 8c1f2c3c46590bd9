"""From the files of IN to those of OUT: which there are, which are left, which fail."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from sklearn_sparsevae._progress import bar_class, progress
from sklearn_sparsevae.commands._program import BAD_FILES, in_one_line

# What files raise that are damaged or of another kind, and models that cannot take
# them or have not the memory.
_BAD = (OSError, ValueError, TypeError, RuntimeError, MemoryError, ImportError)


@dataclasses.dataclass(frozen=True)
class Job:
    """A file of IN, and what it becomes.

    Attributes
    ----------
    folder : Path
        IN, or the folder of the file that IN is.
    name : str
        Of the file in the folder.
    target : Path
        The file of OUT; commands that write several for one name them after it.
    """

    folder: Path
    name: str
    target: Path

    @property
    def path(self):
        """The file of IN."""
        return self.folder / self.name


def jobs_of(given, out, found, renamed):
    """List what is to be done.

    Parameters
    ----------
    given, out : Path
        IN, which is there, and OUT.
    found : callable
        Gives the names of the files of a folder that are meant.
    renamed : callable
        Gives the name of what a file becomes.
    """
    if given.is_dir():
        if out.is_file():
            raise click.UsageError(f"{given} is a folder, and OUT, {out}, is a file.")
        names, folder = found(given), given
        inside = out.resolve()
        names = [n for n in names if not (given / n).resolve().is_relative_to(inside)]
        if not names:
            raise click.UsageError(
                f"OUT, {out}, would hold the files of IN themselves: choose another "
                "folder."
            )
        jobs = [Job(folder, name, out / renamed(name)) for name in names]
    else:
        is_folder = out.is_dir() or str(out).endswith(os.sep)
        target = out / renamed(given.name) if is_folder else out
        jobs = [Job(given.parent, given.name, target)]
    inputs = {job.path.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in inputs:
            raise click.UsageError(
                f"{job.target} is a file of IN, which is never written over: choose "
                "another OUT."
            )
    return jobs


@dataclasses.dataclass
class Walk:
    """Goes through jobs, counts, and has a line for what fails.

    Parameters
    ----------
    what : str
        What is shown before the bar.
    quiet : bool
        Print nothing but errors.
    """

    what: str
    quiet: bool
    n_failed: int = 0

    @property
    def is_shown(self):
        """Whether there is a bar: where somebody looks at it."""
        return not self.quiet and sys.stderr.isatty()

    @contextlib.contextmanager
    def bar(self, n_files):
        """Bar of so many files."""
        with progress(self.what, n_files, self.is_shown, "files") as bar:
            yield bar

    def run(self, jobs: list[Job], is_there: Callable, work: Callable) -> int:
        """Do all that is not there yet, and return the exit code.

        ``work(job, step)`` does one, and may call ``step(share)`` on the way.
        """
        n_done = n_there = 0
        seen: dict[str, str] = {}
        with self.bar(len(jobs)) as bar:
            for job in jobs:
                other = seen.setdefault(os.path.normcase(job.target), job.name)
                steps = _Steps(bar)
                with self.naming(job):
                    if other != job.name:
                        raise ValueError(f"its result is called as that of {other}")
                    if is_there(job):
                        n_there += 1
                    else:
                        job.target.parent.mkdir(parents=True, exist_ok=True)
                        work(job, steps.step)
                        n_done += 1
                steps.finish()
        if not self.quiet:
            click.echo(self._summary(n_done, n_there))
        return self.exit_code

    @contextlib.contextmanager
    def naming(self, job):
        """Say in one line what is wrong with a file, and go on."""
        try:
            yield
        except _BAD as error:
            self.n_failed += 1
            text = in_one_line(error)
            for start in (job.folder, job.path):
                text = text.removeprefix(f"{start}: ")
            # Pages of a stack go by names of their own.
            text = text if text.startswith(job.name) else f"{job.name}: {text}"
            self.say(f"error: {text}")

    def say(self, line):
        """Print a line on the error output, above the bar."""
        if self.is_shown:
            bar_class().write(line, file=sys.stderr)
        else:
            click.echo(line, err=True)

    @property
    def exit_code(self):
        """0, or 1 where files failed."""
        return BAD_FILES if self.n_failed else 0

    def _summary(self, n_done, n_there):
        text = f"{self.what}: {n_done} done"
        if n_there:
            text += f", {n_there} there already (--overwrite writes them anew)"
        return text + f", {self.n_failed} failed" * bool(self.n_failed)


class _Steps:
    """Shares of one file on a bar."""

    def __init__(self, bar):
        self.bar, self.done = bar, 0.0

    def step(self, share):
        """So much of the file is done."""
        self.done += share
        self.bar.update(share)

    def finish(self):
        """All of it is."""
        self.bar.update(1 - self.done)


def in_and_out(command):
    """Decorate a command with IN, OUT and what all have."""
    path = {"path_type": Path}
    for decorate in (
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        click.option(
            "--overwrite", is_flag=True, help="Write files anew that are in OUT."
        ),
        click.argument("target", metavar="OUT", type=click.Path(**path)),
        click.argument("source", metavar="IN", type=click.Path(exists=True, **path)),
    ):
        command = decorate(command)
    return command
