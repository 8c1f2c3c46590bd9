"""One decorator makes an estimator of a class that lists its own parameters."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Sequence

from sklearn_sparsevae._parameters import parameters

_ATTRIBUTES = """\
    history_ : dict of ndarray of shape (n_epochs,)
        What was recorded of every epoch, by name, for instance to make a
        ``pandas.DataFrame`` of: ``epoch``, counted from 1 over all fits of a model;
        ``dur`` in seconds; the mean of every loss term ({terms},
        ``train_loss``), ``train_psnr`` in dB, and ``train_nonzeros`` (per site, the
        channel means included). Unless codes are dense, also ``train_perplexity``, of
        the usage of the atoms over the whole epoch (the channel means left out, as in
        :func:`~sklearn_sparsevae.metrics.usage_perplexity`). With early stopping the
        same of the images held out, ``valid_loss`` and so on. Where they take part,
        also ``train_perceptual`` and ``train_adversarial`` (terms of the loss),
        ``train_adaptive_weight`` and the discriminator's loss ``train_discriminator``.
        NaN where an epoch has no such value; without any epoch the dict is empty. Draw
        it with :class:`~sklearn_sparsevae.plotting.HistoryDisplay`.
    n_epochs_ : int
        Epochs trained.
    net_ : ReconstructionNet
        The skorch net; ``net_.module_`` is the torch module.
"""

_OF_IMAGES = """\
    image_shape_ : tuple of int
        ``(H, W, C)`` of the training images.
    value_range_ : tuple of float
        ``(low, high)``: what images that come out span; for vectors and given latents
        what those of the fit did.
    data_range_ : float
        What `score` takes as the peak: ``high - low``.
    n_features_in_ : int
        Numbers in an image or vector.
    feature_names_in_ : ndarray of str
        Names of the columns; only after a fit on a table that has them."""


_HEADING = "    Parameters\n    ----------\n"
_DEFAULT = "{default}"  # marks descriptions to which the default is to be added


_Class = typing.TypeVar("_Class", bound=type)


# A type checker makes the constructor of what it is told here.
@typing.dataclass_transform(
    eq_default=False, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def shares_parameters(terms: Sequence[str] = ()) -> Callable[[_Class], _Class]:
    """Make the constructor of an estimator and complete its docstring.

    Fields become parameters (see `sklearn_sparsevae._parameters`), limits of inherited
    parameters are collected. The docstring's line ``{parameters}`` stands for the
    inherited parameters that it does not describe itself, ``{attributes}`` or
    ``{image_attributes}`` for shared attributes.

    Parameters
    ----------
    terms : tuple of str
        Names of the terms of the loss.
    """
    named = ",\n        ".join(f"``train_{term}``" for term in terms)
    attributes = _ATTRIBUTES.format(terms=named) + _OF_IMAGES

    def complete(cls):
        cls = parameters(cls)
        names = inspect.signature(cls).parameters
        limits = [vars(c).get("_parameter_constraints", {}) for c in cls.__mro__]
        merged = {name: v for own in reversed(limits) for name, v in own.items()}
        cls._parameter_constraints = {name: merged[name] for name in names}
        before, own, after = _split_at_parameters(cls.__doc__)
        cls.__doc__ = before + _describe(cls, own) + after
        for place, text in {
            "attributes": attributes,
            "image_attributes": _OF_IMAGES,
        }.items():
            cls.__doc__ = cls.__doc__.replace(f"    {{{place}}}", text)
        return cls

    return complete


def parameter_groups(cls):
    """List the groups of an estimator's parameters: pairs of a title and their names.

    The first group are those that the class lists itself.
    """
    signature = inspect.signature(cls).parameters
    found, of_group = {}, {}
    for group in cls.__mro__:
        if "title" in vars(group):
            of_group |= dict.fromkeys(inspect.signature(group).parameters, group.title)
    for name in signature:
        found.setdefault(of_group.get(name, ""), []).append(name)
    return list(found.items())


def _split_at_parameters(doc):
    """Docstring before, in and after its section of parameters."""
    start, end = doc.index(_HEADING) + len(_HEADING), doc.index("    {parameters}")
    return doc[:start], doc[start:end], doc[end + len("    {parameters}") :]


def _describe(cls, own):
    """Descriptions of all parameters, in the order of the signature."""
    described = {}
    for group in reversed(cls.__mro__):
        if "title" in vars(group):
            shared = _descriptions(group.__doc__.split(_HEADING, 1)[1])
            described |= {name: text + _DEFAULT for name, text in shared.items()}
    described |= _descriptions(own)
    return "\n".join(
        _with_default(described[name], parameter.default)
        for name, parameter in inspect.signature(cls).parameters.items()
    )


def _with_default(text, default):
    """Say the default on the first line of a description that is marked for it."""
    if not text.endswith(_DEFAULT):
        return text
    return text.removesuffix(_DEFAULT).replace("\n", f", default={default!r}\n", 1)


def _descriptions(section):
    """Part of a numpydoc section for each parameter, its type on the first line."""
    parts = re.split(r"^(?=    \w+ : )", section.rstrip(), flags=re.MULTILINE)
    return {part.split(" : ")[0].strip(): part.rstrip() for part in parts if part}
