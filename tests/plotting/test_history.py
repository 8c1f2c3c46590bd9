"""The Display of a history draws every figure once, in the panel of its kind."""

import numpy as np
import pandas
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sparsevae import VQVAE, ClosedLoopVAE, CodePrior, GaussianVAE
from sklearn_sparsevae.plotting import HistoryDisplay

HISTORY = {
    "epoch": np.array([1, 2, 3]),
    "dur": np.ones(3),
    "train_batch_count": np.full(3, 7),
    "train_reconstruction": np.array([0.3, 0.2, 0.1]),
    "train_loss": np.array([0.4, 0.3, 0.2]),
    "valid_loss": np.array([np.nan, 0.5, 0.4]),
    "train_psnr": np.array([20.0, 21.0, 22.0]),
    "valid_psnr": np.array([np.nan, 20.5, 20.7]),
    "train_nonzeros": np.array([4.0, 3.0, 2.0]),
    "train_perplexity": np.array([9.0, 12.0, 15.0]),
    "train_note": np.array(["a", "b", "c"]),
}
LABELS = ["loss", "PSNR (dB)", "non-zeros per site", "usage of atoms (perplexity)"]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, 8, 8), dtype=np.float32)


def test_every_figure_is_drawn_in_the_panel_of_its_kind():
    display = HistoryDisplay(HISTORY).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == LABELS
    assert {ax.get_xlabel() for ax in display.axes_} == {"epoch"}
    assert list(display.figure_.axes) == list(display.axes_)
    drawn = {name for names in display.panels.values() for name in names}
    assert set(display.lines_) == drawn
    assert drawn == set(HISTORY) - {"epoch", "dur", "train_batch_count", "train_note"}
    for ax, names in zip(display.axes_, display.panels.values()):
        for name in names:
            line = display.lines_[name]
            assert line.axes is ax
            assert_array_equal(line.get_xdata(), [1, 2, 3])
            assert_array_equal(line.get_ydata(), HISTORY[name])


def test_training_and_validation_share_a_colour_and_differ_in_style():
    lines = HistoryDisplay(HISTORY).plot().lines_
    for figure in ("loss", "psnr"):
        train, valid = lines[f"train_{figure}"], lines[f"valid_{figure}"]
        assert train.get_color() == valid.get_color() and train.axes is valid.axes
        assert (train.get_linestyle(), valid.get_linestyle()) == ("-", "--")
    assert lines["train_loss"].get_color() != lines["train_reconstruction"].get_color()


def test_legends_name_terms_and_what_is_dashed():
    axes = HistoryDisplay(HISTORY).plot().axes_
    texts = [
        [text.get_text() for text in ax.get_legend().texts] if ax.get_legend() else []
        for ax in axes
    ]
    both = ["training", "validation"]
    assert texts == [["sum", "reconstruction", *both], both, [], []]


def test_epochs_are_whole_even_if_there_is_one():
    display = HistoryDisplay({"train_loss": [0.5]}).plot()
    (ax,) = display.axes_
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1.0, 0.5], "linear"), ([100.0, 0.5], "log"), ([100.0, -0.5], "linear")],
)
def test_figures_far_apart_are_on_a_logarithmic_scale(values, scale):
    (ax,) = HistoryDisplay({"train_loss": values}).plot().axes_
    assert ax.get_yscale() == scale


def test_every_kind_of_estimator_has_a_picture_of_its_history(images):
    codes = VQVAE(8, max_epochs=0).fit_transform(images)
    early = {"early_stopping": True, "max_epochs": 1}
    models = [
        (VQVAE(8, adversarial_weight=0.1, **early), images, "loss per site"),
        (GaussianVAE(4, **early), images, "loss per site"),
        (ClosedLoopVAE((8,), latent_dim=6), images, "rate reduction (nats)"),
        (CodePrior(width=8, **early), codes, "loss (nats per site)"),
    ]
    panels = []
    for model, X, name in models:
        display = HistoryDisplay.from_estimator(model.fit(X))
        assert display.axes_[0].get_ylabel() == name
        panels.append(list(display.panels))
        for figure, line in display.lines_.items():
            assert_array_equal(line.get_ydata(), model.history_[figure])
    usual = ["loss", "psnr", "nonzeros"]
    assert panels == [
        [*usual, "perplexity", "discriminator", "adaptive_weight"],
        [*usual, "active_units"],
        ["loss", "psnr"],
        ["loss"],
    ]


def test_pipelines_and_searches_are_looked_through(images):
    pipe = make_pipeline(FunctionTransformer(), VQVAE(8, max_epochs=1))
    search = GridSearchCV(pipe, {"vqvae__n_components": [4]}, cv=2).fit(images)
    display = HistoryDisplay.from_estimator(search)
    expected = search.best_estimator_[-1].history_["train_loss"]
    assert_array_equal(display.lines_["train_loss"].get_ydata(), expected)
    two = make_pipeline(VQVAE(8, max_epochs=1), CodePrior(width=8, max_epochs=1))
    with pytest.raises(ValueError, match=r"\['VQVAE', 'CodePrior'\] have a history_"):
        HistoryDisplay.from_estimator(two.fit(images))


def test_tables_are_histories_too():
    display = HistoryDisplay(pandas.DataFrame(HISTORY)).plot()
    assert_array_equal(display.lines_["train_psnr"].get_ydata(), HISTORY["train_psnr"])


def test_panels_are_drawn_where_asked(figures):
    _, axes = figures.subplots(2, 2)
    display = HistoryDisplay(HISTORY).plot(ax=axes)
    assert list(display.axes_) == list(axes.ravel())
    assert display.figure_ is axes[0, 0].figure
    with pytest.raises(ValueError, match="Got 1 Axes as ax; expected 4, one for each"):
        display.plot(ax=axes[0, 0])
    with pytest.raises(TypeError, match="expected Axes of matplotlib"):
        display.plot(ax=[1, 2, 3, 4])


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([{"train_loss": 1.0}], "history of type list; expected a dict of arrays"),
        ({"train_loss": 1.0}, r"shapes \{'train_loss': \(\)\}; expected one value"),
        ({"train_loss": [1.0], "train_psnr": [1, 2]}, "expected one value of each"),
        ({}, "nothing to draw; expected at least one epoch"),
        ({"train_loss": []}, "nothing to draw; .* max_epochs=1 or more"),
        ({"epoch": [1, 2]}, "nothing to draw"),
    ],
)
def test_what_is_no_history_is_refused(history, message):
    with pytest.raises((ValueError, TypeError), match=message):
        HistoryDisplay(history).plot()


@pytest.mark.parametrize("estimator", [PCA(), VQVAE(), make_pipeline(PCA()), VQVAE])
def test_what_has_no_history_is_refused(estimator):
    with pytest.raises(TypeError, match="no history_; expected one that has. Fit it"):
        HistoryDisplay.from_estimator(estimator)
