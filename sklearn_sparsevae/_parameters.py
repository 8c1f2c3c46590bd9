"""Constructors of estimators, from fields that each class lists once."""

import dataclasses
import inspect
import typing

_Class = typing.TypeVar("_Class", bound=type)


@typing.dataclass_transform(
    eq_default=False, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def parameters(cls: _Class) -> _Class:
    """Class decorator: annotated fields become the parameters of the constructor.

    The constructor stores its arguments and does nothing else. Parameters are keyword
    only, but for those that are declared with ``dataclasses.field(default=...,
    kw_only=False)``. Fields of decorated base classes are inherited: a class lists its
    own ones, and those whose default or type it changes. In the signature, its own
    parameters come first and then those of its base, in the base's order.

    Parameters
    ----------
    cls : type
        Every field needs a default, as scikit-learn asks of estimators.

    Returns
    -------
    cls : type
        The same class, with a constructor.

    Examples
    --------
    >>> import inspect
    >>> from sklearn_sparsevae._parameters import parameters
    >>> @parameters
    ... class Base:
    ...     lr: float = 0.1
    ...     seed: int | None = None
    >>> @parameters
    ... class Model(Base):
    ...     n_components: int = dataclasses.field(default=8, kw_only=False)
    ...     alpha: float = 1.0
    ...     lr: float = 0.01
    >>> str(inspect.signature(Model)).replace("'", "")
    '(n_components: int = 8, *, alpha: float = 1.0, lr: float = 0.01,
    seed: int | None = None) -> None'
    >>> Model(4).lr
    0.01
    """
    inherited = _inherited_names(cls)
    dataclasses.dataclass(eq=False, repr=False, kw_only=True)(cls)
    fields = dataclasses.fields(cls)
    for field in fields:
        if field.default is dataclasses.MISSING:
            raise TypeError(
                f"Got the parameter {field.name} of {cls.__name__} without a default; "
                "expected one for every parameter of an estimator."
            )
        # A default is no attribute of the class: documentation would list it as one.
        if field.name in vars(cls):
            delattr(cls, field.name)
    own = [field.name for field in fields if field.name not in inherited]
    # A signature of the class itself would be inherited by subclasses with an
    # ``__init__`` of their own; this one is not.
    init = vars(cls)["__init__"]
    init.__signature__ = _in_order(init, ["self", *own, *inherited])
    return cls


def _inherited_names(cls):
    """Parameters of the decorated bases, in the order of their signatures."""
    names = [
        name
        for base in cls.__bases__
        if dataclasses.is_dataclass(base)
        for name in inspect.signature(base).parameters
    ]
    return list(dict.fromkeys(names))


def _in_order(init, names):
    """Signature with its parameters in this order, positional ones first."""
    signature = inspect.signature(init)
    ordered = [signature.parameters[name] for name in names]
    return signature.replace(parameters=sorted(ordered, key=lambda p: p.kind))
