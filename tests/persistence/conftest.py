"""Fitted models of every kind, each fitted once and saved once."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    Denoiser,
    DictionaryLearningVAE,
    GaussianVAE,
    KMeansSegmenter,
    PatchEncoder,
    SparseCodingVAE,
    SpectralSegmenter,
    save,
)
from tests.estimators.table import ESTIMATORS, VARIANTS

SMALL = {
    "n_components": 12,
    "n_downsamples": 2,
    "backbone_params": {"width": 4},
    "max_epochs": 1,
    "batch_size": 4,
    "random_state": 0,
}
RNG = np.random.default_rng(0)
SMOOTH = np.kron(RNG.random((8, 4, 4, 3)), np.ones((1, 4, 4, 1)))
IMAGES = (0.8 * SMOOTH + 0.2 * RNG.random((8, 16, 16, 3))).astype(np.float32)
LABELS = np.array(list("abababab"))


@dataclasses.dataclass
class Case:
    """A model before it is fitted, and what is done with it."""

    model: object
    X: object
    y: object = None
    condition: dict = dataclasses.field(default_factory=dict)

    def fit(self):
        self.model.fit(self.X, self.y, **self.condition)
        self.expected = self.answers(self.model)
        return self

    def answers(self, model):
        """What a model says of the data of the fit, by method."""
        X, given, found = self.X, self.condition, {}
        for name in ("transform", "reconstruct", "predict", "predict_proba"):
            if hasattr(model, name):
                found[name] = getattr(model, name)(X, **given)
        if hasattr(model, "inverse_transform") and not isinstance(model, Pipeline):
            found["back"] = model.inverse_transform(found["transform"], **given)
        for name in ("predict_confidence", "score_samples"):
            if hasattr(model, name):
                found[name] = getattr(model, name)(X, **given)
        if hasattr(model, "sample"):
            three = {name: rows[:3] for name, rows in given.items()}
            found["sample"] = model.sample(3, random_state=0, **three)
        if hasattr(model, "target"):
            y = self.y if model.target == "y" else None
            found["score"] = model.score(X, y, **given)
        return found


def autoencoders():
    """Every autoencoder of the table of tests, with its variants."""
    for cls, params in ESTIMATORS.items():
        for i, variant in enumerate([{}, *VARIANTS.get(cls, [])]):
            model = cls(**(SMALL | params | variant))
            yield f"{cls.__name__}{i}", Case(model, IMAGES)


@functools.cache
def codes():
    """Sparse codes, and counts."""
    make = DictionaryLearningVAE(**SMALL, n_nonzero_coefs=3), VQVAE(**SMALL)
    return [model.fit(IMAGES).transform(IMAGES) for model in make]


def others():
    """Other input, other options, and what is no autoencoder."""
    rows = IMAGES.reshape(8, -1)[:, :12]
    vectors = {**SMALL, "backbone_params": None, "n_components": 6}
    photos = [np.uint8(255 * IMAGES[0]), np.uint8(255 * IMAGES[1, :12])]
    state = np.random.RandomState(3)
    state.normal()
    conditional = GaussianVAE(**SMALL, n_levels=2)
    given = {"condition": LABELS}
    online = DictionaryLearningVAE(**SMALL, dictionary_update="online", patch_size=2)
    dictionary = RNG.normal(size=(12, 48))
    fixed = SparseCodingVAE(**SMALL, dictionary=dictionary)
    yield "condition", Case(conditional, IMAGES, None, given)
    attributes = {"condition": RNG.normal(size=(8, 2))}
    yield "attributes", Case(GaussianVAE(**SMALL), IMAGES, None, attributes)
    yield "online", Case(online, IMAGES)
    yield "ema", Case(VQVAE(**SMALL, codebook_update="ema"), IMAGES)
    yield "linear", Case(VQVAE(**SMALL, codebook="linear", gradient="rotation"), IMAGES)
    yield "fsq", Case(VQVAE(**SMALL, quantizer="fsq", levels=[4, 3]), IMAGES)
    yield "vectors", Case(SparseCodingVAE(**vectors), rows)
    yield "fixed", Case(fixed, IMAGES)
    untrained = VQVAE(**SMALL | {"max_epochs": 0})  # an epoch has a thousand crops
    yield "photos", Case(untrained, photos)
    restores = VQVAE(**{**SMALL, "random_state": state}, target="y")
    yield "restores", Case(restores, IMAGES, SMOOTH)
    latents = DictionaryLearningVAE(n_components=6, backbone="identity", max_epochs=1)
    latents.set_params(random_state=0)
    yield "latents", Case(latents, RNG.normal(size=(6, 4, 4, 5)))
    light = VQVAE(**{**SMALL, "backbone_params": {"width": 4, "hidden": 2}})
    yield "light", Case(light.set_params(backbone="light"), IMAGES)
    short = {"width": 4, "n_batches": 2, "max_epochs": 1, "random_state": 0}
    yield "Denoiser", Case(Denoiser(**short), IMAGES)
    yield "Denoiser, patches", Case(Denoiser(method="patches", random_state=0), IMAGES)
    yield "PatchEncoder", Case(PatchEncoder(6, patch_size=4, random_state=0), IMAGES)
    loop = ClosedLoopVAE((4, 6), latent_dim=6, max_epochs=1, random_state=0)
    yield "loop", Case(loop, IMAGES)
    loop = ClosedLoopVAE(4, latent_dim=6, max_epochs=1, random_state=0, target="y")
    yield "loop of classes", Case(loop, IMAGES, LABELS)
    for i, of in enumerate(codes()):
        prior = CodePrior(width=8, n_layers=1, n_heads=2, max_epochs=2, random_state=0)
        yield f"prior{i}", Case(prior, of)
    sparse, parts = codes()[0], [codes()[0][:1], codes()[0][1:3]]
    scene = np.asarray(sparse.sites().toarray())
    for kind in (KMeansSegmenter, SpectralSegmenter):
        name = kind.__name__
        yield f"{name} of images", Case(kind(random_state=0), sparse[:2])
        yield f"{name} of a list", Case(kind(3, random_state=0), parts)
        yield f"{name} of a scene", Case(kind(3, random_state=0), scene)
        rows = csr_array(sparse.sites())[:40]
        yield f"{name} of sparse rows", Case(kind(3, random_state=0), rows)
    shared = KMeansSegmenter(3, scope="dataset", random_state=np.random.RandomState(0))
    yield "shared clusters", Case(shared, sparse)
    segment = [("enc", VQVAE(**SMALL)), ("seg", SpectralSegmenter(random_state=0))]
    yield "Pipeline", Case(Pipeline(segment), IMAGES[:3])
    inner = Pipeline([("off", "passthrough"), ("enc", DictionaryLearningVAE(**SMALL))])
    steps = [("a b", inner), ("scale", MaxAbsScaler()), ("last", LogisticRegression())]
    yield "Pipeline with others", Case(Pipeline(steps), IMAGES, LABELS)


CASES = dict([*autoencoders(), *others()])


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """Return a function for a case that is fitted, and the file of its model."""
    folder = tmp_path_factory.mktemp("models")

    @functools.cache
    def get(name):
        path = folder / f"{name.replace(' ', '_')}.model"
        case = CASES[name].fit()
        save(case.model, path)
        return case, path

    return get
