"""What the pages show runs: guide, how-tos, FAQ, quickstart and installation.

Every ``.. code-block:: python`` of a page runs, in order, in one namespace and an empty
folder, with defaults that train for seconds and warnings as errors. A comment
``.. skip: why`` above a block leaves it out. Where the next block of text starts with
the name of an error or a warning, the code has to raise it, with that very message;
``...`` in it stands for anything.
"""

import functools
import inspect
import re
import shutil
import textwrap
import typing
import warnings
from pathlib import Path

import huggingface_hub
import optuna
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_sparsevae.datasets import _samples
from tests.small_defaults import shrink_defaults

DOCS = Path(__file__).parents[1]
PAGES = [
    *sorted(DOCS.glob("guide/*.rst")),
    *sorted(DOCS.glob("howto/*.rst")),
    *(DOCS / f"{name}.rst" for name in ("faq", "quickstart", "install", "scaling")),
]
# howto/onnx.rst fits models of its own size and is tested where the export is.
PAGES = [path for path in PAGES if path.exists()]

_DIRECTIVE = re.compile(r"^( *)\.\. (code-block:: (\w+)|skip: ?(.*))$")
_RAISED = re.compile(r"([A-Za-z]+(?:Error|Warning)): (.*)", re.DOTALL)


class Block(typing.NamedTuple):
    """Code of a page, the line it starts at, and the message that it ends in."""

    line: int
    code: str
    raises: str | None = None


def blocks_of(text):
    """Return the blocks of a page that are to run."""
    lines, found, skip = text.splitlines(), [], None
    last = None  # what a block of text would be the message of
    for number, line in enumerate(lines):
        directive = _DIRECTIVE.match(line)
        if not directive:
            if line.strip() and not line.startswith(" "):
                last = None
            continue
        indent, language, why = len(directive[1]), directive[3], directive[4]
        if language is None:
            if not why:
                raise ValueError(f"line {number + 1}: .. skip: needs a reason.")
            skip = number
            continue
        code = _body(lines, number + 1, indent)
        skipped = skip is not None and not "".join(lines[skip + 1 : number]).strip()
        skip = None
        if language == "python":
            last = None if skipped else len(found)
            if not skipped:
                found.append(Block(number + 1, code))
        elif last is not None and _RAISED.match(code):
            found[last], last = found[last]._replace(raises=code), None
    return found


def _body(lines, start, indent):
    """Code of a directive: the lines below it that are further in."""
    body = []
    for line in lines[start:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        body.append(line)
    body = textwrap.dedent("\n".join(body)).strip("\n")
    return re.sub(r"\A(:[\w-]+:.*\n)+", "", body).strip("\n") + "\n"


def matches(message, pattern):
    """Whether a message is the one printed, however it is broken into lines."""
    message, pattern = (" ".join(part.split()) for part in (message, pattern))
    parts = map(re.escape, pattern.split("..."))
    return re.fullmatch(".*".join(parts), message) is not None


def run(block, page, names):
    """Run a block, and check how it ends."""
    where = f"{page}, line {block.line}"
    compiled = compile(block.code, where, "exec")
    if block.raises is None:
        exec(compiled, names)
        return
    kind, message = _RAISED.match(block.raises).groups()
    raised = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compiled, names)
        except Exception as error:
            raised.append(error)
    found = raised or [warning.message for warning in caught]
    assert any(
        type(each).__name__ == kind and matches(str(each), message) for each in found
    ), f"{where}: the page says\n{block.raises}\nand what came is\n{found!r}"


@pytest.fixture
def small_defaults(monkeypatch):
    """Let what a snippet leaves at its default cost seconds instead of minutes."""
    shrink_defaults(monkeypatch)
    monkeypatch.setitem(GridSearchCV.__init__.__kwdefaults__, "cv", 2)
    loaders = _samples._SUBSETS.items()
    halved = {subset: _halved(photos) for subset, photos in loaders}
    monkeypatch.setattr(_samples, "_SUBSETS", halved)

    optimize = optuna.Study.optimize
    few = functools.partialmethod(_optimize_a_little, optimize)
    monkeypatch.setattr(optuna.Study, "optimize", few)


def _optimize_a_little(study, optimize, objective, n_trials):
    optimize(study, objective, n_trials=min(n_trials, 3))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Let a folder stand for the Hugging Face Hub."""
    store = tmp_path / "hub"

    def create_repo(repo_id, *, exist_ok):
        (store / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_file(*, path_or_fileobj, path_in_repo, repo_id):
        shutil.copy(path_or_fileobj, store / repo_id / path_in_repo)

    def hf_hub_download(repo_id, filename, *, revision="main"):
        return str(store / repo_id / filename)

    for stand_in in (create_repo, upload_file, hf_hub_download):
        real = getattr(huggingface_hub, stand_in.__name__)
        taken = inspect.signature(real).parameters
        assert set(inspect.signature(stand_in).parameters) <= set(taken)
        monkeypatch.setattr(huggingface_hub, stand_in.__name__, stand_in)


def _halved(loaders):
    return {name: lambda load=load: load()[::2, ::2] for name, load in loaders.items()}


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(DOCS).as_posix())
def test_pages_run(path, small_defaults, hub, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    names, page = {"__name__": "__main__"}, path.relative_to(DOCS).as_posix()
    for block in blocks_of(path.read_text(encoding="utf-8")):
        run(block, page, names)


def test_guide_howtos_and_faq_have_code():
    for path in PAGES:
        if path.parent != DOCS and path.name not in ("index.rst", "onnx.rst"):
            assert blocks_of(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(DOCS).as_posix())
def test_pictures_are_of_examples(path):
    """The gallery draws them, as JPEG, when the documentation is built."""
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"sphx_glr_\w+\.(?!jpg)\w+", text)
    for folder, name in re.findall(
        r"auto_examples/(.*?)(?:images/sphx_glr_)?(plot_\w+?)(?:_\d+\.jpg|\.html|`)",
        text,
    ):
        example = DOCS.parent / "examples" / folder / f"{name}.py"
        assert example.exists(), f"{path.name} shows {name}, and there is no {example}"


SAMPLE = """
Title
-----

.. code-block:: python
   :caption: an option

   x = [1]

Text.

.. skip: nothing to run it with

.. code-block:: python

   import nothing_of_that_name

- in a list

  .. code-block:: python

     int("a")

  .. code-block:: text

     ValueError: invalid literal for int() with
     base 10: ...

.. code-block:: python

   x += [2]

.. code-block:: text

   [1, 2]
"""


def test_pages_are_read():
    first, error, last = blocks_of(SAMPLE)
    assert (first.code, first.raises) == ("x = [1]\n", None)
    assert error.code == 'int("a")\n' and error.raises.startswith("ValueError: inv")
    assert (last.code, last.raises) == ("x += [2]\n", None)
    names = {}
    for block in (first, error, last):
        run(block, "sample", names)
    assert names["x"] == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        "int('1')\n",  # raises nothing
        "float('a')\n",  # another message
        "raise TypeError('invalid literal for int() with base 10: 1')\n",
    ],
)
def test_what_does_not_end_as_printed_fails(wrong):
    _, block, _ = blocks_of(SAMPLE)
    block = block._replace(code=wrong)
    with pytest.raises(AssertionError, match="the page says"):
        run(block, "sample", {})


def test_a_skip_without_a_reason_fails():
    with pytest.raises(ValueError, match="needs a reason"):
        blocks_of(".. skip:\n\n.. code-block:: python\n\n   x = 1\n")
