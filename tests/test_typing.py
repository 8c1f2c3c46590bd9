"""What `py.typed` promises: public signatures have types, which agree with checks."""

import inspect
import numbers
import types
import typing

import pytest
from sklearn.utils._param_validation import Interval, StrOptions

from tests.test_public_api import PACKAGE, public_modules


def public_functions():
    """Return the functions, constructors, methods and properties of ours, by name."""
    found = {}
    for module in public_modules():
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                found |= dict(_methods(value))
            elif inspect.isfunction(value):
                found[f"{value.__module__}.{name}"] = inspect.unwrap(value)
    return found


def _methods(cls):
    """Pairs of name and function of what a class, or a base of ours, defines."""
    for base in cls.__mro__:
        if base.__module__.startswith(PACKAGE):
            for name, value in vars(base).items():
                value = getattr(value, "__func__", getattr(value, "fget", value))
                public = name in ("__init__", "__new__") or not name.startswith("_")
                if public and inspect.isfunction(value):
                    yield f"{base.__module__}.{base.__name__}.{name}", value


def _untyped(function):
    """Names of what has no annotation, "return" among them."""
    signature = inspect.signature(function)
    names = [
        name
        for i, (name, parameter) in enumerate(signature.parameters.items())
        if parameter.annotation is parameter.empty
        and not (i == 0 and name in ("self", "cls"))
    ]
    returns = signature.return_annotation is not signature.empty
    return names if returns else [*names, "return"]


def test_public_signatures_have_types():
    functions = public_functions()
    missing = {name: _untyped(function) for name, function in functions.items()}
    missing = {name: gaps for name, gaps in missing.items() if gaps}
    assert len(functions) > 200
    assert not missing, f"Give these a type (see _typing.py): {missing}"


def _estimators():
    modules = [module for module in public_modules() if module.__name__ == PACKAGE]
    classes = {getattr(modules[0], name) for name in modules[0].__all__}
    limited = [cls for cls in classes if hasattr(cls, "_parameter_constraints")]
    return sorted(limited, key=lambda cls: cls.__name__)


def _members(hint):
    """Types, and strings of Literals, of which a hint is the union."""
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return set().union(*map(_members, typing.get_args(hint)))
    return {hint}


def _allowed(constraint):
    """Types or strings that a limit of scikit-learn allows; None for other limits."""
    if isinstance(constraint, StrOptions):
        return set(constraint.options)
    if isinstance(constraint, Interval):
        return {int if constraint.type is numbers.Integral else float}
    known = {"boolean": {bool}, numbers.Integral: {int}, None: {type(None)}}
    return known.get(constraint)


@pytest.mark.parametrize("cls", _estimators(), ids=lambda cls: cls.__name__)
def test_types_of_parameters_agree_with_their_limits(cls):
    hints = typing.get_type_hints(cls.__init__)
    for name, constraints in cls._parameter_constraints.items():
        members = _members(hints[name])
        allowed = [_allowed(constraint) for constraint in constraints]
        strings = {m for m in members if isinstance(m, str)}
        expected = {m for known in allowed if known for m in known}
        assert strings == {m for m in expected if isinstance(m, str)}, name
        assert (type(None) in members) == (
            None in constraints or "random_state" in constraints
        ), name
        assert expected <= members, name
