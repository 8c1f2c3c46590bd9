"""Parameters that estimators share: each with its default, meaning and limits, once.

An estimator inherits the groups that it has and lists its own parameters beside them.
The docstring of a group is the part of the estimators' that is about it.
"""

import numbers
import os
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae._typing import RandomState
from sklearn_sparsevae.backbones import BACKBONES
from sklearn_sparsevae.training import PIXEL_LOSSES

POSITIVE_INT = Interval(numbers.Integral, 1, None, closed="left")
WHOLE = Interval(numbers.Integral, 0, None, closed="left")
# What is above is infinite where torch computes.
_LARGEST = float(np.finfo(np.float32).max)
POSITIVE = Interval(numbers.Real, 0, _LARGEST, closed="neither")
NOT_NEGATIVE = Interval(numbers.Real, 0, _LARGEST, closed="left")
FRACTION = Interval(numbers.Real, 0, 1, closed="neither")


@parameters
class Model:
    """Encoder and decoder.

    Parameters
    ----------
    latent_dim : int
        Length n of the latents; None takes what the backbone prefers (for images all
        ``C * 4 ** n_downsamples`` numbers of a patch).
    n_downsamples : int
        Halvings of the resolution (d in the papers): a site is a square of
        ``2 ** n_downsamples`` pixels a side.
    backbone : {"auto", "residual", "light", "vqgan", "dense", "identity"}
        Encoder and decoder; "auto" is "residual" for images, "dense" for vectors.
        "identity" codes given latents of any range: vectors, or grids
        ``(n, h, w, latent_dim)``.
    backbone_params : dict
        Further arguments of the backbone, for instance ``{"width": 64}``.
    """

    title: ClassVar[str] = "Model"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "latent_dim": [POSITIVE_INT, None],
        "n_downsamples": [Interval(numbers.Integral, 0, 8, closed="both")],
        "backbone": [StrOptions({"auto", *BACKBONES})],
        "backbone_params": [dict, None],
    }

    latent_dim: int | None = None
    n_downsamples: int = 2
    backbone: Literal["auto", "residual", "light", "vqgan", "dense", "identity"] = (
        "auto"
    )
    backbone_params: dict[str, Any] | None = None


@parameters
class Images:
    """What images are.

    Parameters
    ----------
    image_shape : tuple of int (H, W, C) or (H, W)
        What the rows of a 2-D ``X`` are, when they are images. It also says that images
        as narrow as a photo has channels are images.
    value_range : tuple of float (low, high), "data" or None
        What the numbers of images span. None stands for [0, 1] of floats and all that
        the dtype holds of unsigned integers; a pair holds for both; "data" takes the
        smallest and largest number of the fit.
    """

    title: ClassVar[str] = "Images"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "image_shape": [tuple, list, None],
        "value_range": [tuple, list, StrOptions({"data"}), None],
    }

    image_shape: tuple[int, ...] | list[int] | None = None
    value_range: tuple[float, float] | list[float] | Literal["data"] | None = None


@parameters
class Target:
    """What images are to become.

    Parameters
    ----------
    target : {"X", "y"}
        What is reconstructed: the image itself, whatever ``y`` is, or the image of
        ``y`` at its place, to which the model then restores.
    """

    title: ClassVar[str] = "Images"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "target": [StrOptions({"X", "y"})]
    }

    target: Literal["X", "y"] = "X"


@parameters
class Crops:
    """What of the images is trained on.

    Parameters
    ----------
    crop_size : int, "auto" or None
        Train on random square crops of this side; None trains on whole images, "auto"
        on crops of 64 pixels (at least 8 sites) where the images are larger. An epoch
        has as many crops as cover the photos, and at least 1024.
    degrade : callable
        Degrades every training batch afresh, so that ``fit(X_clean)`` trains to
        restore: ``degrade(images, random_state=...)`` gets ``(n, H, W, C)`` in the
        dtype of ``X`` and a RandomState, and keeps the shape, and the dtype unless it
        gives floats. For instance ``functools.partial(degrade.gaussian_noise,
        sigma=20)``, see :mod:`sklearn_sparsevae.degrade`.
    augment : bool
        Turn and mirror every training image at random, and what it is to become in the
        same way, before it is degraded: in all eight ways where images or crops are
        square, otherwise in the four that keep their shape. Helps where photos are few
        and the fit is long, and where up and down mean nothing.
    """

    title: ClassVar[str] = "Images"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "crop_size": [StrOptions({"auto"}), POSITIVE_INT, None],
        "degrade": [callable, None],
        "augment": ["boolean"],
    }

    crop_size: int | Literal["auto"] | None = "auto"
    degrade: Callable[..., Any] | None = None
    augment: bool = False


@parameters
class Training:
    """How to train.

    Parameters
    ----------
    max_epochs : int
        Passes over the training images; 0 keeps the model as it starts.
    batch_size : int
        Images in a training batch.
    lr : float
        Adam's learning rate for the backbone.
    gradient_clip : float
        Maximum Euclidean norm of the gradient; a longer one is scaled to it.
    """

    title: ClassVar[str] = "Training"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_epochs": [WHOLE],
        "batch_size": [POSITIVE_INT],
        "lr": [POSITIVE],
        "gradient_clip": [POSITIVE],
    }

    max_epochs: int = 5
    batch_size: int = 32
    lr: float = 0.001
    gradient_clip: float = 1.0


@parameters
class EarlyStopping:
    """When to stop.

    Parameters
    ----------
    early_stopping : bool
        Hold out a part of the data, stop when its loss has not improved for
        ``n_epochs_no_change`` epochs, and keep the best weights. What a discriminator
        says does not count.
    validation_fraction : float
        Part of the data held out for early stopping.
    n_epochs_no_change : int
        Patience of early stopping.
    tol : float
        Smallest relative improvement that early stopping counts.
    """

    title: ClassVar[str] = "Training"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "early_stopping": ["boolean"],
        "validation_fraction": [FRACTION],
        "n_epochs_no_change": [POSITIVE_INT],
        "tol": [NOT_NEGATIVE],
    }

    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_epochs_no_change: int = 5
    tol: float = 1e-4


@parameters
class Continuing:
    """How a fit goes on.

    Parameters
    ----------
    lr_schedule : {"cosine"} or None
        Let the learning rate fall to zero over the epochs, or keep it.
    warm_start : bool
        Let `fit` continue from where the last one ended.
    """

    title: ClassVar[str] = "Training"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "lr_schedule": [StrOptions({"cosine"}), None],
        "warm_start": ["boolean"],
    }

    lr_schedule: Literal["cosine"] | None = "cosine"
    warm_start: bool = False


@parameters
class Losses:
    """What an image costs.

    Parameters
    ----------
    pixel_loss : {"mse", "l1"}
        Squared or absolute error of the pixels; half its sum per site is the loss.
    perceptual_weight : float
        Part of the images' loss, in [0, 1), that is their distance in the features of
        a network (LPIPS): ``1 - eta`` of LASERS' Equation 6, which takes 0.5.
    perceptual_network : callable or str
        torch module that turns images ``(n, 3, H, W)`` in [0, 1] into a list of feature
        maps; it is copied, not trained. A string is the path of torchvision's weights
        of VGG16, which LPIPS is built on; None downloads them the first time. Both need
        the extra "metrics".
    adversarial_weight : float
        Above zero, a PatchGAN discriminator trains beside the model, which learns to
        deceive it (DL-GAN, VQ-GAN): sharper images at some cost in PSNR. At 1 that
        pulls as hard on the decoder's last layer as the loss of the images does. Needs
        images or crops of at least 8 pixels a side.
    adversarial_start : int
        Epochs, of all fits of a model together, before the discriminator takes part.
    """

    title: ClassVar[str] = "Losses"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pixel_loss": [StrOptions(set(PIXEL_LOSSES))],
        "perceptual_weight": [Interval(numbers.Real, 0, 1, closed="left")],
        "perceptual_network": [callable, str, None],
        "adversarial_weight": [NOT_NEGATIVE],
        "adversarial_start": [WHOLE],
    }

    pixel_loss: Literal["mse", "l1"] = "mse"
    perceptual_weight: float = 0.0
    perceptual_network: Callable[..., Any] | str | None = None
    adversarial_weight: float = 0.0
    adversarial_start: int = 0


@parameters
class Computing:
    """Where to compute.

    Parameters
    ----------
    device : str
        "auto" (a GPU when there is one), "cpu", "cuda", "cuda:1", ...
    random_state : int, RandomState instance or None
        Seed of everything random. The global generators are left alone.
    verbose : int
        Above zero: a line on the error output for whatever takes long, with a bar,
        images a second and the time left: the dictionary that a fit starts from, its
        epochs, with the terms of the loss, and methods that go through images.
    """

    title: ClassVar[str] = "Running"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    device: str = "auto"
    random_state: RandomState = None
    verbose: int = 0


@parameters
class Running(Computing):
    """How a training runs.

    Parameters
    ----------
    callbacks : list
        skorch callbacks that also follow the training.
    checkpoint : str or path-like
        Folder in which `fit` keeps its state after every epoch. The same fit of the
        same data goes on from there, and ends as without the interruption; once
        finished, it is that model again at once. Other parameters or data are refused
        while the folder holds only a fit that was interrupted. Those of a search may
        share one. See :ref:`resume`.
    """

    title: ClassVar[str] = "Running"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
    }

    callbacks: list[Any] | tuple[Any, ...] | None = None
    checkpoint: str | os.PathLike[str] | None = None


@parameters
class Loading:
    """How images are read.

    Parameters
    ----------
    n_workers : int
        Threads that read, decode, cut and degrade images ahead of the training, and
        read ahead what other methods need; 0 does so when they are needed. Does not
        change the result. More than one read from a sequence at the same time.
    """

    title: ClassVar[str] = "Running"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"n_workers": [WHOLE]}

    n_workers: int = 1


@parameters
class Precision:
    """How precisely to compute.

    Parameters
    ----------
    precision : {"float32", "bf16"}
        Of the backbone; the codes are always computed in float32.
    """

    title: ClassVar[str] = "Running"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "precision": [StrOptions({"float32", "bf16"})]
    }

    precision: Literal["float32", "bf16"] = "float32"
