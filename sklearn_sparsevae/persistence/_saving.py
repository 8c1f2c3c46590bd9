"""Models to files and back."""

import importlib.metadata
import os
from typing import Any

from sklearn_sparsevae import __version__, _container
from sklearn_sparsevae.persistence._models import read_node, wanted, write_node
from sklearn_sparsevae.persistence._values import Reader, Writer

# Of packages that a model depends on.
_VERSIONS = ("torch", "numpy", "scikit-learn")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a file that holds numbers and runs nothing when it is loaded.

    One file has the network, the parameters, what the fit found out (layout, range,
    history, ...) and the versions of the packages. It has a checksum, takes the place
    of an older one when it is complete, and loads on a CPU whatever the model was
    fitted on. As with pickle, neither images nor the optimizer are kept.

    Parameters
    ----------
    model : estimator
        Of this package, fitted or not: an autoencoder, :class:`CodePrior` or a
        segmenter. Or a :class:`~sklearn.pipeline.Pipeline` of such and of
        scikit-learn's estimators, which takes the extra "files" (skops).
    path : str or path-like
        Its folder must exist.

    Raises
    ------
    TypeError
        If the model, or a step, is none of these (of a search, save its
        ``best_estimator_``), or holds something else than numbers and plain values.
    ImportError
        If a step is scikit-learn's and skops is not installed.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    Parameters that are code (``degrade``, ``callbacks``, a ``perceptual_network`` that
    is no path) are named in the file, and have to be given again to :func:`load`.
    ``python -m sklearn_sparsevae info FILE`` prints what a file holds.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import sklearn_sparsevae
    >>> from sklearn_sparsevae import SparseCodes, KMeansSegmenter
    >>> scene = np.pad(np.full((2, 8, 8, 1), 3.0), [(0, 0), (4, 4), (4, 4), (0, 0)])
    >>> codes = SparseCodes(scene.reshape(2, -1), grid_shape=(16, 16))
    >>> segmenter = KMeansSegmenter(random_state=0).fit(codes)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sklearn_sparsevae.save(segmenter, Path(folder, "segmenter.model"))
    ...     loaded = sklearn_sparsevae.load(Path(folder, "segmenter.model"))
    >>> bool((loaded.predict(codes) == segmenter.predict(codes)).all())
    True
    """
    writer = Writer()
    content = {"model": write_node(model, writer), "versions": _versions()}
    _container.write(path, "model", writer.tensors, content)


def load(path: str | os.PathLike[str], **given: Any) -> Any:
    """Read a model that :func:`save` wrote.

    No code of the file runs: it can only name estimators of this package and, through
    skops, types of scikit-learn.

    Parameters
    ----------
    path : str or path-like
        The file.
    **given
        The parameters that are code, by name, as in ``set_params``: ``degrade=f``, or
        ``enc__degrade=f`` for a step of a Pipeline. All that the file names have to be
        given; None leaves one out.

    Returns
    -------
    model : estimator
        Codes, decodes, predicts and scores as the one that was saved, to the bit, and
        can be trained further.

    Raises
    ------
    ValueError
        If the file is no model, comes from a newer version, is damaged or was changed,
        or if a parameter that it names is not given.
    TypeError
        If something is given that the file does not name.
    ImportError
        If a step is scikit-learn's and skops is not installed.

    See Also
    --------
    save : Write the file, with an example.
    """
    tensors, content = _container.read(path, "model")
    try:
        node, reader = content["model"], Reader(tensors)
        asked = wanted(node)
    except _WRONG as error:
        raise _changed(path, error) from error
    _check_given(path, asked, given)
    try:
        model = read_node(node, reader, given)
        if reader.unused:
            raise ValueError(f"nothing stands for the tensors {reader.unused[:5]}")
    except _WRONG as error:
        raise _changed(path, error) from error
    return model


# What is raised where a file says something that makes no sense.
_WRONG = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _changed(path, error):
    said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return ValueError(
        f"{path} was changed, or comes from another version of sklearn-sparsevae: "
        f"{said[:1000]}. `python -m sklearn_sparsevae info` says which."
    )


def _check_given(path, asked, given):
    """Refuse what is missing, and what nobody asked for."""
    missing = {name: said for name, said in asked.items() if name not in given}
    if missing:
        listed = "; ".join(
            f"{name}, which was {said}" for name, said in missing.items()
        )
        call = ", ".join(f"{name}=..." for name in asked)
        raise ValueError(
            f"{path} does not hold code, which has to be given again: {listed}. Write "
            f"load(path, {call}); None leaves a parameter out."
        )
    unknown = sorted(given.keys() - asked.keys())
    if unknown:
        raise TypeError(
            f"Got {', '.join(unknown)} for {path}, which asks for "
            f"{', '.join(asked) or 'nothing'}. Set other parameters with set_params."
        )


def _versions():
    of_others = {name: _version_of(name) for name in _VERSIONS}
    return {"sklearn-sparsevae": __version__, **of_others}


def _version_of(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # such as from a zip file
        return None
