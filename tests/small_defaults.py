"""Defaults with which the code of pages costs seconds instead of minutes."""

import sklearn_sparsevae
from sklearn_sparsevae import recipes
from sklearn_sparsevae.training import batching

_WITH_ATOMS = ("SparseCodingVAE", "DictionaryLearningVAE", "VQVAE", "GaussianVAE")


def shrink_defaults(monkeypatch):
    """Let estimators train for an epoch of few crops, with few atoms."""
    for name in (*_WITH_ATOMS, "SpikeSlabVAE", "CodePrior"):
        init = getattr(sklearn_sparsevae, name).__init__
        monkeypatch.setitem(init.__kwdefaults__, "max_epochs", 1)
        if name in _WITH_ATOMS:
            monkeypatch.setattr(init, "__defaults__", (24,))  # n_components
    init = sklearn_sparsevae.Denoiser.__init__
    for parameter, value in {"max_epochs": 1, "n_batches": 5, "width": 8}.items():
        monkeypatch.setitem(init.__kwdefaults__, parameter, value)
    small = {"n_components": 24, "backbone_params": {"width": 8}, "max_epochs": 1}
    monkeypatch.setattr(recipes, "RESTORATION", {**recipes.RESTORATION, **small})
    monkeypatch.setattr(batching, "_MIN_CROPS", 32)
