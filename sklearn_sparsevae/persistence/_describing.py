"""What a file of ours holds, as a table to read."""

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_sparsevae import _container
from sklearn_sparsevae.persistence._models import find_class, wanted
from sklearn_sparsevae.persistence._values import Reader, Writer

_WIDTH = 22  # of the left column

Lines = Iterator[tuple[str, str]]


def describe_file(path: str) -> str:
    """Return a table of what a file of any kind holds.

    Nothing of the file is made: neither estimators nor codes.

    Parameters
    ----------
    path : str

    Raises
    ------
    ValueError
        When it is no file of ours, comes from a newer version, or is damaged.
    """
    header = _container.examine(path)
    sections = {"model": _of_model, "codes": _of_codes, "checkpoint": _of_checkpoint}
    lines = [
        ("file", str(path)),
        ("kind", f"{header.kind}, version {header.version} of the format"),
        ("size", f"{_bytes(header.n_bytes)}, checksum right"),
    ]
    tensors, _ = _container.read(path, header.kind, mmap=True)
    try:
        lines += sections[header.kind](header.content, tensors)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} was changed, or comes from another version of sklearn-sparsevae: "
            f"{error}."
        ) from error
    return "\n".join(_printable(f"{left:{_WIDTH}}{right}") for left, right in lines)


def _printable(line):
    """Return a line without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in line).rstrip()


def _of_model(content: dict[str, Any], tensors: _container.Tensors) -> Lines:
    known = content["versions"].items()
    yield "written with", ", ".join(f"{name} {number}" for name, number in known)
    yield "numbers", _numbers(tensors.values())
    yield from _of_node(content["model"], Reader(tensors), "")
    asked = wanted(content["model"])
    for name, said in asked.items():
        yield "to be given again", f"{name}, which was {said}"


def _of_node(node, reader, name):
    """Lines of an estimator, and of its steps."""
    kind = node["class"]
    start = f"step {name}" if name else "estimator"
    if "skops" in node:
        yield start, f"{kind} (through skops, {_bytes(_size(node['skops']))})"
        return
    if "class" in node and kind is None:
        yield start, str(node["value"])
        return
    yield start, kind
    for key, value in _not_default(node, reader):
        yield f"  {key}", value
    for key, value in _found_out(node, reader):
        yield f"  {key}", value
    for own, step in node.get("steps", []):
        yield from _of_node(step, reader, f"{name}__{own}" if name else own)


def _not_default(node, reader):
    """Parameters that are not the defaults."""
    cls = Pipeline if node["class"] == "Pipeline" else find_class(node["class"])
    known = {n: p.default for n, p in inspect.signature(cls).parameters.items()}
    for name, told in sorted(node["parameters"].items()):
        if name in known and told == Writer().encode(known[name], name):
            continue
        default = f"  (default {known[name]!r})" if name in known else ""
        yield name, f"{_short(reader.decode(told))}{default}"


def _found_out(node, reader):
    """Say in words what a fit has found out, and its last epoch."""
    fitted = {k: reader.decode(v) for k, v in node.get("fitted", {}).items()}
    if node.get("net"):
        sizes = [told["shape"] for told in node["net"].values()]
        n_numbers = sum(map(math.prod, sizes))
        yield "network", f"{len(sizes)} tensors, {n_numbers:,} numbers"
    elif node["class"] != "Pipeline" and not any(k[-1:] == "_" for k in fitted):
        yield "not fitted", ""
    if "layout_" in fitted:
        height, width, _ = fitted["layout_"].image_shape
        size = "" if fitted["layout_"].is_vector or height is None else f", {height}x"
        yield "fitted to", f"{fitted['layout_'].describe()}{size and size + str(width)}"
    for name in ("value_range_", "classes_", "condition_classes_", "grid_shape_"):
        if fitted.get(name) is not None:
            yield name, _short(fitted[name])
    history = fitted.get("history_") or {}
    if history:
        last = {name: values[-1] for name, values in history.items()}
        yield "last epoch", ", ".join(f"{k} {_short(v)}" for k, v in last.items())


def _of_codes(content: dict[str, Any], tensors: _container.Tensors) -> Lines:
    n_images = tensors["n_images"]
    grids = np.unique(tensors["grid_shape"], axis=0).tolist()
    listed = f" in a list of {len(n_images)}" if content["is_list"] else ""
    yield "codes", f"of {int(n_images.sum()):,} images{listed}"
    yield (
        "grid_shape",
        ", ".join(f"({h}, {w})" for h, w in grids[:5])
        + (", ..." if len(grids) > 5 else ""),
    )
    yield "n_atoms", f"{content['n_atoms']}, {content['n_mean_atoms']} of means"
    n_sites = int(n_images @ np.prod(tensors["grid_shape"], axis=1))
    n_values = len(tensors["values"])
    yield (
        "values",
        (
            f"{n_values:,} of {tensors['values'].dtype}, "
            f"{n_values / max(1, n_sites):.4g} a site"
        ),
    )
    small = tensors.get("thumbnails")
    yield "thumbnails", "none" if small is None else _bytes(small.nbytes)


def _of_checkpoint(content: dict[str, Any], tensors: _container.Tensors) -> Lines:
    for name, value in content.items():
        yield name, _short(value)
    yield "numbers", _numbers(tensors.values())


def _numbers(arrays):
    arrays = list(arrays)
    n_bytes = _bytes(sum(array.nbytes for array in arrays))
    return f"{len(arrays)} tensors, {n_bytes}"


def _size(told):
    return math.prod(told["shape"])


def _bytes(number):
    """Bytes in words."""
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            break
        number, unit = number / 1000, "GB"
    return f"{number:.3g} {unit}"


def _short(value):
    """Return one line of a value."""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray) and value.size > 20:
        return f"array of shape {value.shape} and type {value.dtype}"
    text = " ".join(
        str(value.tolist() if isinstance(value, np.ndarray) else value).split()
    )
    return text if len(text) <= 100 else f"{text[:97]}..."
