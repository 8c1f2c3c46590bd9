"""Fitted models as files that other programs run."""

import dataclasses
import importlib
import json
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae.estimators._transformer import ImageTransformer
from sklearn_sparsevae.training import Graph, Transcription, write_graph

_OUTPUTS = "reconstruction", "codes"


def export_onnx(
    model: Any,
    path: str | PathLike[str],
    *,
    image_size: Sequence[int] | None = None,
    outputs: str | Sequence[str] = _OUTPUTS,
) -> None:
    """Write a fitted autoencoder to an ONNX file, to be run without this package.

    What runs the file, such as onnxruntime, needs neither torch nor scikit-learn. The
    graph has one input and the outputs asked for, all float32, for any number n of
    images of one size:

    - ``images``: as `transform` takes them, in the layout of the fit, (n, H, W, C),
      (n, H, W) or (n, n_features). Values are floats in the model's ``value_range_``:
      in [0, 1] by default, so divide uint8 by 255. Nothing checks them.
    - ``reconstruction``: of the same shape, what `reconstruct` gives.
    - ``codes``: (n, h, w, n_components), what `transform` gives, with all zeros:
      ``model.transform(X).toarray().reshape(codes.shape)``. For `GaussianVAE` they are
      the means; for `ClosedLoopVAE`, features (n, latent_dim).

    Parameters
    ----------
    model : estimator
        A fitted `SparseCodingVAE`, `DictionaryLearningVAE`, `VQVAE`, `GaussianVAE`,
        `SpikeSlabVAE` or `ClosedLoopVAE`.
    path : str or path-like
        Where to write. A file that is there is replaced once the new one is complete.
    image_size : tuple of int (H, W), default=None
        Pixels of the images that the graph takes; None is the size of those of the
        fit (or of the crops, where photos differed in size). `ClosedLoopVAE`, and
        models of rows, take no other.
    outputs : {"reconstruction", "codes"} or sequence of them, \
default=("reconstruction", "codes")
        What the graph returns, in this order.

    Raises
    ------
    ImportError
        Without the extra "onnx".
    NotFittedError
        When the model is not fitted.
    TypeError, ValueError
        When the model is none of the above or was fitted with a condition, or an
        argument is not as described.
    RuntimeError
        When a part of the model cannot be written as a graph, such as a bottleneck of
        your own that branches on numbers.

    Notes
    -----
    The file's metadata are ``sklearn_sparsevae_version``, ``estimator`` (its class)
    and, as JSON, ``parameters``, ``value_range`` (null if values are taken as they
    are), ``image_shape`` and ``grid_shape``.

    Numbers agree to rounding. Where two atoms are almost equally good, rounding decides
    which of them a pursuit or a quantiser takes, and a site may then have other atoms
    in its code, and about the same reconstruction. The graph computes in float32
    whatever ``precision`` is.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import VQVAE, export_onnx
    >>> images = load_digits().images[:200] / 16
    >>> model = VQVAE(32, max_epochs=1).fit(images)
    >>> export_onnx(model, "digits.onnx")  # doctest: +SKIP
    """
    if not isinstance(model, ImageTransformer):
        raise TypeError(
            f"Got model={type(model).__name__}; expected a fitted autoencoder such as "
            "SparseCodingVAE. Of a Pipeline, pass the step: export_onnx(pipe['enc'], "
            "path)."
        )
    check_is_fitted(model)
    outputs = _checked_outputs(outputs)
    layout = _layout(model, image_size)
    if getattr(model, "_encoder", None) is not None:
        raise ValueError(
            f"This {type(model).__name__} was fitted with a condition, for which the "
            "graph has no input: fit one without, or use it in Python."
        )
    module, value_range = model.net_.module_, model._input.values_of(layout.kind)
    limits = None if value_range.free else value_range.limits
    graph = Graph(module, layout, limits, outputs)
    metadata = {
        "sklearn_sparsevae_version": _version(),
        "estimator": type(model).__name__,
        "parameters": json.dumps(model.get_params(deep=False), default=_described),
        "value_range": json.dumps(limits),
        "image_shape": json.dumps(layout.image_shape),
        "grid_shape": json.dumps(graph.grid_shape),
    }
    try:
        write_graph(graph, path, metadata)
    except (ImportError, OSError):
        raise
    except Exception as error:  # of torch's exporter, which has many kinds
        reason = str(error).strip().partition("\n")[0]
        raise RuntimeError(
            f"This {type(model).__name__} cannot be written as an ONNX graph "
            f"({type(error).__name__}: {reason}). What works is listed in "
            "docs/howto/onnx.rst."
        ) from error


def _version():
    """Version of the code that runs, whatever was installed."""
    return importlib.import_module("sklearn_sparsevae").__version__


def _checked_outputs(outputs):
    names = (outputs,) if isinstance(outputs, str) else outputs
    known = isinstance(names, list | tuple) and all(
        isinstance(name, str) and name in _OUTPUTS for name in names
    )
    if not known or not names or len(set(names)) < len(names):
        raise ValueError(
            f"Got outputs={outputs!r}; expected one or both of {_OUTPUTS}, each once."
        )
    return tuple(names)


def _layout(model, image_size):
    """Layout of the fit, for images of the size asked for."""
    layout = model.layout_
    if image_size is None:
        return layout
    if not isinstance(image_size, list | tuple) or len(image_size) != 2:
        raise ValueError(
            f"Got image_size={image_size!r}; expected (H, W), two integers."
        )
    size = tuple(whole_number(side, "image_size") for side in image_size)
    if size == layout.image_shape[:2]:
        return layout
    if isinstance(model.net_.module_, Transcription) or layout.kind in (
        "flat",
        "vector",
    ):
        height, width, _ = layout.image_shape
        raise ValueError(
            f"Got image_size={size}, but this {type(model).__name__} takes only what "
            f"it was fitted on, ({height}, {width}): leave image_size out."
        )
    return dataclasses.replace(layout, image_shape=(*size, layout.channels))


def _described(value):
    """Stand in for what JSON has no form for: numbers, or words."""
    return value.item() if isinstance(value, np.generic) else repr(value)
