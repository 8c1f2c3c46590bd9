"""The public names and their signatures are those written down in public_api.txt.

Run this file as a script to write them down anew.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

import sklearn_sparsevae

SNAPSHOT = Path(__file__).parent / "public_api.txt"
PACKAGE = sklearn_sparsevae.__name__
INTERNAL = {"images", "persistence", "training"}


def public_modules():
    """Return the package and those modules right below it that name what is public."""
    names = {info.name for info in pkgutil.iter_modules(sklearn_sparsevae.__path__)}
    names = sorted(names - INTERNAL)
    modules = [importlib.import_module(f"{PACKAGE}.{name}") for name in names]
    modules.insert(0, sklearn_sparsevae)
    return [module for module in modules if hasattr(module, "__all__")]


def lines_of(module):
    """Return a line for each public name of a module, and each public method."""
    for name in sorted(module.__all__):
        value = getattr(module, name)
        yield f"{module.__name__}.{name}{signature_of(value)}"
        if inspect.isclass(value) and value.__module__.startswith(PACKAGE):
            yield from methods_of(value, f"{module.__name__}.{name}")


def methods_of(cls, prefix):
    """Return a line for each public method that a class defines or inherits from us."""
    for name, value in sorted(inspect.getmembers(cls)):
        ours = str(getattr(value, "__module__", "")).startswith(PACKAGE)
        if ours and callable(value) and not name.startswith("_"):
            yield f"{prefix}.{name}{signature_of(value)}"


def signature_of(value):
    """Return a signature without annotations, or nothing."""
    if not callable(value):
        return ""
    signature = inspect.signature(value)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


def current_api():
    return "".join(f"{line}\n" for m in public_modules() for line in lines_of(m))


def test_public_api_is_the_one_written_down():
    written = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    current = current_api().splitlines()
    gone = [line for line in written if line not in current]
    new = [line for line in current if line not in written]
    assert not gone and not new, (
        f"The public API changed.\n  gone: {gone}\n  new: {new}\nIf that is intended, "
        "run `python tests/test_public_api.py`, say so in CHANGELOG.md, and keep "
        "docs/api.rst in step."
    )


def test_public_names_are_strings_that_exist():
    for module in public_modules():
        assert len(set(module.__all__)) == len(module.__all__)
        assert set(module.__all__) <= set(dir(module)), module.__name__


if __name__ == "__main__":
    SNAPSHOT.write_text(current_api(), encoding="utf-8")
