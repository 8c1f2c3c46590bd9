"""The part of the docstrings that all estimators share, written once."""

import inspect

_PARAMETERS = """\
    latent_dim : int, default={latent_dim}
        Length n of the latents; None takes what the backbone prefers (for images all
        ``C * 4 ** n_downsamples`` numbers of a patch).
    n_downsamples : int, default={n_downsamples}
        Halvings of the resolution (d in the papers): a site is a square of
        ``2 ** n_downsamples`` pixels a side.
    backbone : {{"auto", "residual", "light", "vqgan", "dense", "identity"}}, \
default={backbone!r}
        Encoder and decoder; "auto" is "residual" for images, "dense" for vectors.
        "identity" codes given latents of any range: vectors, or grids
        ``(n, h, w, latent_dim)``.
    backbone_params : dict, default={backbone_params}
        Further arguments of the backbone, for instance ``{{"width": 64}}``.
    image_shape : tuple of int (H, W, C) or (H, W), default={image_shape}
        What the rows of a 2-D ``X`` are, when they are images.
    value_range : tuple of float (low, high), default={value_range}
        What floating point images span; None stands for (0, 1).
    crop_size : int, "auto" or None, default={crop_size!r}
        Train on random square crops of this side; None trains on whole images, "auto"
        on crops of 64 pixels (at least 8 sites) where the images are larger. An epoch
        has as many crops as cover the photos, and at least 1024.
    degrade : callable, default={degrade}
        Spoils every training batch afresh, so that ``fit(X_clean)`` trains to restore:
        ``degrade(images, random_state=...)`` gets ``(n, H, W, C)`` in the dtype of
        ``X`` and a RandomState, and keeps shape and dtype. For instance
        ``functools.partial(degrade.gaussian_noise, sigma=20)``, see
        :mod:`sklearn_sparsevae.degrade`.
    max_epochs : int, default={max_epochs}
        Passes over the training images.
    batch_size : int, default={batch_size}
        Images in a training batch.
    lr : float, default={lr}
        Adam's learning rate for the backbone{lr_note}.
    lr_schedule : {{"cosine"}} or None, default={lr_schedule!r}
        Let the learning rate fall to zero over the epochs, or keep it.
    gradient_clip : float, default={gradient_clip}
        Longest gradient, as a Euclidean norm.
    pixel_loss : {{"mse", "l1"}}, default={pixel_loss!r}
        Squared or absolute error of the pixels; half its sum over a site is the loss.
    perceptual_weight : float, default={perceptual_weight}
        Part of the images' loss, in [0, 1), that is their distance in the features of
        a network (LPIPS): ``1 - eta`` of LASERS' Equation 6, which takes 0.5.
    perceptual_network : callable or str, default={perceptual_network}
        torch module that turns images ``(n, 3, H, W)`` in [0, 1] into a list of feature
        maps; it is copied, not trained. A string is the path of torchvision's weights
        of VGG16, which LPIPS is built on; None downloads them the first time. Both need
        the extra "metrics".
    adversarial_weight : float, default={adversarial_weight}
        Above zero, a PatchGAN discriminator trains beside the model, which learns to
        deceive it (DL-GAN, VQ-GAN): sharper images at some cost in PSNR. At 1 that
        pulls as hard on the decoder's last layer as the loss of the images does. Needs
        images or crops of at least 8 pixels a side.
    adversarial_start : int, default={adversarial_start}
        Epochs, of all fits of a model together, before the discriminator takes part.
    early_stopping : bool, default={early_stopping}
        Hold out a part of the images, stop when their loss has not improved for
        ``n_epochs_no_change`` epochs, and keep the best weights. What a discriminator
        says does not count.
    validation_fraction : float, default={validation_fraction}
        Part of the images held out for early stopping.
    n_epochs_no_change : int, default={n_epochs_no_change}
        Patience of early stopping.
    tol : float, default={tol}
        Smallest relative improvement that early stopping counts.
    warm_start : bool, default={warm_start}
        Let `fit` continue from where the last one ended.
    device : str, default={device!r}
        "auto" (a GPU when there is one), "cpu", "cuda", "cuda:1", ...
    precision : {{"float32", "bf16"}}, default={precision!r}
        Of the backbone; the codes are always computed in float32.
    callbacks : list, default={callbacks}
        skorch callbacks that also follow the training.
    random_state : int, RandomState instance or None, default={random_state}
        Seed of everything random. The global generators are left alone.
    verbose : int, default={verbose}
        Above zero: a progress bar with loss terms, PSNR and the time left."""

_ATTRIBUTES = """\
    history_ : list of dict
        For each epoch the mean of every loss term ({terms},
        ``train_loss``), ``train_psnr``, ``train_nonzeros`` (a site), the same with
        ``valid_``, and ``dur`` in seconds. Where they take part, also
        ``train_perceptual`` and ``train_adversarial`` (terms of the loss),
        ``train_adaptive_weight`` and the discriminator's loss ``train_discriminator``.
    n_epochs_ : int
        Epochs trained.
    net_ : ReconstructionNet
        The skorch net; ``net_.module_`` is the torch module.
    image_shape_ : tuple of int
        ``(H, W, C)`` of the training images.
    data_range_ : float
        What `score` takes as the peak.
    n_features_in_ : int
        Numbers in an image or vector."""


def shares_parameters(terms, lr_note=""):
    """Put the shared parameters and attributes into an estimator's docstring.

    They stand for the lines ``{parameters}`` and ``{attributes}``, with the defaults
    of the estimator's own signature.
    """
    named = ",\n        ".join(f"``train_{term}``" for term in terms)

    def document(cls):
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(cls).parameters.items()
        }
        parameters = _PARAMETERS.format(**defaults, lr_note=lr_note)
        attributes = _ATTRIBUTES.format(terms=named)
        cls.__doc__ = cls.__doc__.replace("    {parameters}", parameters).replace(
            "    {attributes}", attributes
        )
        return cls

    return document
