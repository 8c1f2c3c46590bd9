"""Models of the command line: loaded from a file, or made by name."""

import ast
import importlib
from pathlib import Path

import click

_PACKAGE = importlib.import_module("sklearn_sparsevae")


def model_option(help, required=False, name="--model"):
    """Option that names the file of a model."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option(name, required=required, type=kind, metavar="FILE", help=help)


set_option = click.option(
    "--set",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter, such as max_epochs=5; it may be given again.",
)


def estimator_names(room="estimators"):
    """Names of the classes of a room that are fitted to images, or to their codes."""
    found = _PACKAGE.__all__
    module = f"sklearn_sparsevae.{room}"
    located = _PACKAGE._LOCATIONS
    names = [name for name in found if located[name] == module and name[0].isupper()]
    return [name for name in names if name != "CodePrior"]  # fitted to codes


def made(name, **parameters):
    """Make an estimator of the package by its name."""
    return getattr(_PACKAGE, name)(**parameters)


def loaded(path, method):
    """Load a model, and refuse one that lacks a method."""
    from sklearn_sparsevae.persistence import load

    model = load(path)
    if not hasattr(model, method):
        raise click.UsageError(
            f"{path} holds a {type(model).__name__}, which has no {method}(); see "
            f"info {path}."
        )
    return model


def n_channels_of(model):
    """Channels of the images that a model was fitted on; None if nobody knows."""
    for step in [model, *(step for _, step in getattr(model, "steps", []))]:
        if hasattr(step, "layout_"):
            return step.layout_.channels
    return None


def range_of(model):
    """Return what the images of a model span, unless that is [0, 1]."""
    low_high = getattr(model, "value_range_", None)
    return None if low_high is None or tuple(low_high) == (0, 1) else tuple(low_high)


def with_parameters(model, parameters):
    """Set parameters that were given as texts."""
    for text in parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(
                f"{text!r}; expected NAME=VALUE.", param_hint="--set"
            )
        try:
            model.set_params(**{name: _value_of(value)})
        except ValueError as error:
            raise click.BadParameter(f"{error}", param_hint="--set") from error
    return model


def _value_of(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
