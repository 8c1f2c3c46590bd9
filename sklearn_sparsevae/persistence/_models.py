"""Estimators as JSON and tensors, and back.

A node is one estimator: its class, out of a fixed list; its parameters; what it was
fitted to; and, by name, the parameters that are code and have to be given again.

Longer than other modules: how each kind of node is written and read stands together.
"""

import importlib
import re
from typing import Any

from sklearn.pipeline import Pipeline

from sklearn_sparsevae.persistence._steps import from_bytes, to_bytes
from sklearn_sparsevae.persistence._values import (
    NoPlainValueError,
    Reader,
    Writer,
    describe,
)

# What a file may ask for, and where it is.
ESTIMATORS = {
    "ClosedLoopVAE": "sklearn_sparsevae.estimators",
    "CodePrior": "sklearn_sparsevae.estimators",
    "Denoiser": "sklearn_sparsevae.estimators",
    "DictionaryLearningVAE": "sklearn_sparsevae.estimators",
    "GaussianVAE": "sklearn_sparsevae.estimators",
    "KMeansSegmenter": "sklearn_sparsevae.segmentation",
    "PatchEncoder": "sklearn_sparsevae.estimators",
    "SparseAutoencoder": "sklearn_sparsevae.estimators",
    "SparseCodingVAE": "sklearn_sparsevae.estimators",
    "SpectralSegmenter": "sklearn_sparsevae.segmentation",
    "SpikeSlabVAE": "sklearn_sparsevae.estimators",
    "VQVAE": "sklearn_sparsevae.estimators",
}
_ATTRIBUTE = re.compile(r"_?[A-Za-z][A-Za-z0-9_]*")

Node = dict[str, Any]


# ---- to a file ----------------------------------------------------------------------


def write_node(model: Any, writer: Writer, prefix: str = "", name: str = "") -> Node:
    """Return the node of an estimator.

    Parameters
    ----------
    model : estimator
    writer : Writer
        Takes its tensors.
    prefix : str
        Of the names of its tensors.
    name : str
        Of the step that it is, as in ``set_params``; empty for the model itself.
    """
    kind = type(model)
    if name and (model is None or model == "passthrough"):
        return {"class": None, "value": model}
    if kind is Pipeline:
        return _write_pipeline(model, writer, prefix, name)
    if is_own(kind):
        node = _write_own(model, writer, prefix, name)
        net = getattr(model, "net_", None)
        arrays = {} if net is None else model._net_arrays()
        node["net"] = {
            key: writer.tensor(array, f"{prefix}net.{key}")
            for key, array in arrays.items()
        }
        return node
    if not name:
        raise TypeError(_refusal(model))
    if kind.__module__.startswith("sklearn_sparsevae."):
        raise TypeError(f"Got the step {name}: {_refusal(model)}")
    data = to_bytes(model, f"the step {name}")
    node = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    return {**node, "skops": writer.tensor(data, f"{prefix}skops")}


def is_own(kind: type) -> bool:
    """Whether a class is one of ours, and no subclass of one."""
    place = ESTIMATORS.get(kind.__name__, "-")
    return kind.__module__.startswith(f"{place}.") and kind is find_class(kind.__name__)


def find_class(name: str) -> Any:
    """Return the estimator of a name, if there is one."""
    if name not in ESTIMATORS:
        raise ValueError(f"{str(name)[:100]!r} is no estimator of this version")
    return getattr(importlib.import_module(ESTIMATORS[name]), name)


def _refusal(model):
    if hasattr(model, "best_estimator_"):
        return (
            f"Got a {type(model).__name__}; expected an estimator. Save what it found: "
            "its best_estimator_."
        )
    return (
        f"Got {describe(model)} of type {type(model).__name__}; expected an estimator "
        f"of sklearn_sparsevae ({', '.join(ESTIMATORS)}) or a Pipeline of such and of "
        "scikit-learn's. skops.io keeps scikit-learn's alone."
    )


def _write_pipeline(model, writer, prefix, name):
    node = _write_own(model, writer, prefix, name, left_out={"steps"})
    steps = []
    for i, (own, step) in enumerate(model.steps):
        path = f"{name}__{own}" if name else own
        steps.append([own, write_node(step, writer, f"{prefix}steps.{i}.", path)])
    return {**node, "steps": steps}


def _write_own(model, writer, prefix, name, left_out=frozenset()):
    """Return class, parameters and what was fitted, without net and steps."""
    node = {"class": type(model).__name__, "parameters": {}, "given": {}}
    parameters = model.get_params(deep=False)
    for key, value in parameters.items():
        if key in left_out:
            continue
        before = dict(writer.tensors)
        try:
            if key == "memory" and value is not None:  # a folder of pickles
                raise NoPlainValueError
            encoded = writer.encode(value, f"{prefix}parameters.{key}")
            node["parameters"][key] = encoded
        except NoPlainValueError:
            writer.tensors = before  # without those of a part of it
            node["given"][key] = describe(value)
    state = {key: v for key, v in vars(model).items() if key not in parameters}
    state.pop("net_", None)
    requests = state.pop("_metadata_request", None)
    if requests is not None:
        node["requests"] = writer.encode(requests._serialize(), f"{prefix}requests")
    try:
        node["fitted"] = {
            key: writer.encode(value, f"{prefix}fitted.{key}")
            for key, value in state.items()
        }
    except NoPlainValueError as error:
        raise TypeError(
            f"Got {name or 'a model'} of type {type(model).__name__} with {error}; a "
            "file holds numbers and plain values only. Take it off the model first."
        ) from error
    return node


# ---- from a file --------------------------------------------------------------------


def wanted(node: Node, name: str = "") -> dict[str, str]:
    """Return the parameters that have to be given again, with what they were."""
    start = f"{name}__" if name else ""
    found = {f"{start}{key}": said for key, said in node.get("given", {}).items()}
    for own, step in node.get("steps", []):
        found |= wanted(step, f"{start}{own}")
    return found


def read_node(node: Node, reader: Reader, given: dict[str, Any], name: str = "") -> Any:
    """Return the estimator of a node.

    Parameters
    ----------
    node : dict
    reader : Reader
        Has its tensors.
    given : dict
        What `wanted` asks for.
    name : str
        Of the step that it is.
    """
    kind = node["class"]
    if kind is None and name and node["value"] in (None, "passthrough"):
        return node["value"]
    if "skops" in node and name:
        return from_bytes(reader.tensor(node["skops"]), f"the step {name}")
    start = f"{name}__" if name else ""
    cls: Any = Pipeline if kind == "Pipeline" else find_class(kind)
    parameters = {k: reader.decode(v) for k, v in node["parameters"].items()}
    parameters |= {key: given[f"{start}{key}"] for key in node["given"]}
    if cls is Pipeline:
        parameters["steps"] = [
            (str(own), read_node(step, reader, given, f"{start}{own}"))
            for own, step in node["steps"]
        ]
    if unknown := parameters.keys() - set(cls._get_param_names()):
        raise ValueError(f"{kind} has no parameters {sorted(unknown)}")
    model: Any = cls(**parameters)
    fitted = {key: reader.decode(value) for key, value in node["fitted"].items()}
    for key in fitted:
        if not _ATTRIBUTE.fullmatch(key) or hasattr(cls, key):
            raise ValueError(f"{kind} cannot have the attribute {key[:100]!r}")
    vars(model).update(fitted)
    if "requests" in node:
        model._metadata_request = _requests(model, reader.decode(node["requests"]))
    if node.get("net"):
        model._restore_net({k: reader.tensor(v) for k, v in node["net"].items()})
    return model


def _requests(model, told):
    """Return what an estimator asks of metadata, through scikit-learn's own checks."""
    requests = model._get_metadata_request()
    for method, aliases in told.items():
        known = getattr(requests, method)
        for parameter, alias in aliases.items():
            if known.requests.get(parameter) != alias:
                known.add_request(param=parameter, alias=alias)
    return requests
