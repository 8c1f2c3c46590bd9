"""From an estimator's parameters to its module, or what is wrong with them."""

import inspect

from sklearn_sparsevae._arguments import check_flag, whole_number
from sklearn_sparsevae.backbones import BACKBONES
from sklearn_sparsevae.training import Autoencoder


def check_needs_of_images(estimator, layout):
    """Refuse losses that judge images, and what changes them, without images."""
    weights = [
        f"{name}={value}"
        for name in ("perceptual_weight", "adversarial_weight")
        if (value := getattr(estimator, name)) > 0
    ]
    needs = weights + (["degrade"] if estimator.degrade is not None else [])
    needs += ["augment"] if estimator.augment else []
    if not needs:
        return
    what = "latents" if estimator.backbone == "identity" else layout.describe()
    if estimator.backbone == "identity" or layout.is_vector:
        raise ValueError(
            f"{' and '.join(needs)} needs images, got {what}: set it to 0 (degrade "
            "to None, augment to False), or pass image_shape=(H, W, C) if the rows are "
            "images."
        )
    if estimator.perceptual_weight > 0 and layout.channels not in (1, 3):
        raise ValueError(
            f"{weights[0]} needs images with 1 or 3 channels, got {what}: set it "
            "to 0, or convert the images."
        )


def make_autoencoder(estimator, layout, n_conditions=None):
    """Fresh `Autoencoder` of the parameters, for photos of a layout.

    ``n_conditions`` are the numbers of a condition, where the bottleneck takes one.
    """
    name = _backbone_name(estimator, layout.is_vector)
    n_downsamples, patch_size = _halvings(estimator, layout)
    backbone_params = _check_backbone_params(name, estimator.backbone_params)
    backbone = BACKBONES[name](
        layout.channels, n_downsamples, estimator.latent_dim, **backbone_params
    )
    given = {} if n_conditions is None else {"n_conditions": n_conditions}
    bottleneck = estimator._make_bottleneck(backbone, **given)
    site_size = 2**n_downsamples * patch_size
    return Autoencoder(backbone, bottleneck, site_size, estimator.precision)


def _halvings(estimator, layout):
    """Halvings of the resolution, and the side of what latents are coded together."""
    free = layout.is_vector or estimator.backbone == "identity"
    patch_size = getattr(estimator, "patch_size", 1)
    return 0 if free else estimator.n_downsamples, patch_size


def check_site_size(estimator, photos):
    """Refuse sites that are larger than what is trained on."""
    n_downsamples, patch_size = _halvings(estimator, photos.layout)
    site_size = 2**n_downsamples * patch_size
    if photos.layout.is_vector and patch_size > 1:
        raise ValueError(
            f"patch_size={patch_size} needs images or grids of latents, got "
            "vectors (n, n_features), which are one site each: leave it at 1."
        )
    side, seen = photos.crop_size, "crops of crop_size="
    if side is None:
        side = max(max(shape[:2]) for shape in photos.shapes)
        seen = "images, which measure at most "
    if site_size > side:
        raise ValueError(
            f"A site of {site_size}x{site_size} pixels, from n_downsamples="
            f"{estimator.n_downsamples} and patch_size={patch_size}, is larger than "
            f"the {seen}{side} pixels a side: lower these parameters."
        )


def _backbone_name(estimator, vector):
    if estimator.backbone == "auto":
        return "dense" if vector else "residual"
    if vector and estimator.backbone not in ("dense", "identity"):
        raise ValueError(
            f"backbone={estimator.backbone!r} needs images, got vectors of shape "
            "(n, n_features): pass image_shape=(H, W, C) if the rows are "
            "images, or use backbone='dense'."
        )
    if estimator.backbone == "dense" and not vector:
        raise ValueError(
            "backbone='dense' needs vectors (n, n_features), got images: flatten "
            "them, or use backbone='residual'."
        )
    return estimator.backbone


def _check_backbone_params(name, given):
    """Arguments for a backbone that it has and that are sizes, or an error."""
    known = list(inspect.signature(BACKBONES[name]).parameters.values())[3:]
    known = {parameter.name: parameter.default for parameter in known}
    return check_options("backbone_params", given, known, f"backbone={name!r}")


def check_options(name, given, known, owner):
    """Return the dict of further arguments ``given``, or say what is wrong with it.

    Parameters
    ----------
    name : str
        The parameter that holds them.
    given : dict or None
    known : dict
        What ``owner`` takes, with defaults: those that are flags are to be flags, the
        others integers (of blocks 0, of all else 1 at least) or the default.
    owner : str
        For the message.
    """
    given = given or {}
    unknown = sorted(set(map(str, given)) - set(known))
    if unknown:
        raise ValueError(
            f"{name} has {', '.join(map(repr, unknown))}, which {owner} does not "
            f"take; expected some of {list(known)}."
        )
    for key, value in given.items():
        if isinstance(known[key], bool):
            check_flag(value, f"{name}[{key!r}]")
        elif value is not known[key]:
            whole_number(value, f"{name}[{key!r}]", 0 if key == "n_blocks" else 1)
    return given
