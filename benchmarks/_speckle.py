"""Speckle as in ultrasound, restored by what knows that it grows with the signal."""

import _record
import numpy as np

from sklearn_sparsevae.noise import anscombe, inverse_anscombe

SIGMAS = 10, 20, 30  # where photos are white, as SSC-VAE has for Gaussian noise


def gain_of(sigma):
    """Gain of speckle, whose variance is ``sigma**2`` where photos are white."""
    return sigma**2 / 255


def bm3d_made_even(photo, sigma):
    """BM3D between the two ways of Anscombe, told the gain."""
    import bm3d as package

    gain = gain_of(sigma)
    black, white = anscombe(np.array([[[0.0, 1.0]]]), gain)[0, 0]
    even = (anscombe(photo[None], gain)[0] - black) / (white - black)
    restored = package.bm3d(even, 1 / (white - black))
    return inverse_anscombe(black + (white - black) * restored[None], gain)[0]


def bm3d_one_sigma(photo, sigma):
    """BM3D, told one deviation."""
    import bm3d as package

    return package.bm3d(photo, mean_sigma(photo, sigma) / 255)


def mean_sigma(photo, sigma):
    """Deviation of the speckle of a photo, as if it was the same everywhere."""
    return sigma * np.sqrt(np.clip(photo, 0, 1).mean())


def ours(photo, sigma, model, told):
    """Return what a `Denoiser` makes of a photo, told the gain, or one deviation."""
    gains = {"gain": gain_of(sigma), "estimate": "estimate", "one sigma": None}
    one = mean_sigma(photo, sigma) if told == "one sigma" else None
    return model.set_params(gain=gains[told]).transform(photo[None], one)[0]


def methods(model):
    """Return functions of a photo and the strength of its speckle, by name.

    ``model`` gives the `Denoiser`.
    """

    def denoiser(told):
        return lambda photo, sigma: ours(photo, sigma, model(), told)

    return {
        "BM3D, one sigma": bm3d_one_sigma,
        "BM3D, made even": bm3d_made_even,
        "Denoiser, one sigma": denoiser("one sigma"),
        "Denoiser, gain told": denoiser("gain"),
        "Denoiser, gain estimated": denoiser("estimate"),
    }


def row_name(method, sigma):
    """Name of the row of a method."""
    return f"set12 speckle {sigma} {method}"


def table(known):
    """Return the table: methods by strength."""
    columns = _record.columns(
        **{f"s{s}": (f"sigma {s}", ".2f") for s in SIGMAS},
        best={f"s{s}": "max" for s in SIGMAS},
    )
    rows = []
    for name in methods(None):
        found = {s: known.get(row_name(name, s)) for s in SIGMAS}
        psnrs = {f"s{s}": row["psnr"] for s, row in found.items() if row}
        if psnrs:
            label = name.replace("Denoiser", "`Denoiser`")
            rows.append({"key": _record.key(name), "label": label, **psnrs})
    return _record.table("Set12 with speckle: PSNR, dB", columns, rows)
