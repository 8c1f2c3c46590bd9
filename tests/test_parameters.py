"""Constructors made of fields: what scikit-learn needs of them, and their order."""

import copy
import dataclasses
import inspect
import pickle
from abc import ABCMeta, abstractmethod

import pytest
from sklearn.base import BaseEstimator, clone

from sklearn_sparsevae._parameters import parameters


@parameters
class Base(BaseEstimator, metaclass=ABCMeta):
    """Shared parameters."""

    lr: float = 0.1
    device: str = "auto"
    seed: int | None = None

    @abstractmethod
    def fit(self, X):
        """Learn nothing."""


@parameters
class Middle(Base):
    """Adds one and changes a default."""

    width: int = 3
    device: str = "cpu"


@parameters
class Model(Middle):
    """Adds some, one of them positional, and changes inherited defaults."""

    n_components: int = dataclasses.field(default=8, kw_only=False)
    seed: int | None = 0
    alpha: float = 1.0

    def fit(self, X):
        """Learn nothing."""
        return self


def test_own_parameters_come_first_and_inherited_ones_keep_their_place():
    names = list(inspect.signature(Model).parameters)
    assert names == ["n_components", "alpha", "width", "lr", "device", "seed"]
    assert names == list(inspect.signature(Model.__init__).parameters)[1:]


def test_only_parameters_that_say_so_are_positional():
    assert Model(4).n_components == 4
    with pytest.raises(TypeError, match="positional"):
        Model(4, 0.5)
    kinds = [p.kind for p in inspect.signature(Model).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD] + 5 * [
        inspect.Parameter.KEYWORD_ONLY
    ]


def test_defaults_are_those_of_the_nearest_class():
    assert Model().get_params() == {
        "n_components": 8,
        "alpha": 1.0,
        "width": 3,
        "lr": 0.1,
        "device": "cpu",
        "seed": 0,
    }
    defaults = {n: p.default for n, p in inspect.signature(Model).parameters.items()}
    assert defaults == Model().get_params()


def test_types_are_those_of_the_fields():
    annotations = inspect.signature(Model).parameters
    assert annotations["seed"].annotation == int | None
    assert annotations["lr"].annotation is float


def test_the_constructor_stores_its_arguments_and_nothing_else():
    alpha = [1.0]  # wrong, but that is for fit to say
    model = Model(alpha=alpha)
    assert model.alpha is alpha
    assert vars(model) == model.get_params()


@pytest.mark.parametrize(
    "again", [clone, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_have_the_same_parameters(again):
    model = Model(4, alpha=2.0, device="cuda")
    assert again(model).get_params() == model.get_params()


def test_set_params_and_repr_are_those_of_scikit_learn():
    model = Model().set_params(alpha=3.0)
    assert repr(model) == "Model(alpha=3.0)"
    with pytest.raises(ValueError, match="Invalid parameter 'beta'"):
        model.set_params(beta=1)


def test_models_are_compared_by_identity_and_hashable():
    assert Model() != Model()
    assert len({Model(), Model()}) == 2


def test_abstract_classes_stay_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Middle()


def test_defaults_are_no_attributes_of_the_class():
    assert not [
        name for name in inspect.signature(Model).parameters if name in dir(Model)
    ]


def test_subclasses_with_a_constructor_of_their_own_keep_its_signature():
    class Special(Model):
        def __init__(self, beta=1):
            super().__init__()
            self.beta = beta

    assert list(inspect.signature(Special).parameters) == ["beta"]
    assert Special().get_params() == {"beta": 1}


def test_a_parameter_without_a_default_is_refused():
    with pytest.raises(TypeError, match="parameter alpha of Bad without a default"):

        @parameters
        class Bad(BaseEstimator):
            alpha: float
