"""How exactly the strength of noise is found, beside scikit-image's estimate.

White Gaussian noise is put into test photos of BSDS500, left as it is or clipped and
rounded to 8 bits, and its strength estimated for each channel. *Off by* is the mean of
how far an estimate is from sigma, in per cent, *95 % within* what all but 5 % of the
estimates keep to. For photos without noise the estimate itself counts, in units of 255.

Run ``python benchmarks/noise_estimation.py --data bsds500.zip``.
"""

import time

import _common
import _record
import numpy as np
from skimage.restoration import estimate_sigma as wavelet_sigma
from threadpoolctl import threadpool_limits

from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.noise import estimate_sigma

SIGMAS = (5, 15, 25, 50)


def ours(photo):
    """Estimate of each channel of a photo in [0, 1], noise beyond it included."""
    return estimate_sigma(photo[None])[0]


def wavelets(photo):
    """Median absolute deviation of the finest wavelets."""
    return 255 * np.array(wavelet_sigma(photo, channel_axis=-1))


METHODS = {"`estimate_sigma`": ours, "scikit-image": wavelets}


def noisy(photo, sigma, clip, seed):
    """One photo with noise, as floats in [0, 1] or around it."""
    changed = gaussian_noise(photo[None], sigma, clip=clip, random_state=seed)[0]
    return changed / 255 if clip else changed


def measure(photos, method, clip):
    """Errors by strength: their mean and 95 % quantile in per cent; seconds a photo."""
    cells, begin = {}, time.process_time()
    for sigma in SIGMAS:
        found = [method(noisy(p, sigma, clip, i)) for i, p in enumerate(photos)]
        off = 100 * np.abs(np.concatenate(found) / sigma - 1)
        cells |= {
            f"mean_{sigma}": off.mean(),
            f"within_{sigma}": np.quantile(off, 0.95),
        }
    clean = np.concatenate([method(photo / 255) for photo in photos])
    cells |= {"clean": clean.mean(), "clean_within": np.quantile(clean, 0.95)}
    n_estimates = len(photos) * (len(SIGMAS) + 1)
    return cells | {"seconds": (time.process_time() - begin) / n_estimates}


def main():
    """Measure, print, write."""
    options = _common.parser(
        __doc__.splitlines()[0], data="bsds500.zip", json_name="noise_estimation.json"
    )
    options.add_argument("--n-photos", type=_common.positive, default=50)
    args = options.parse_args()
    archive = _common.find_archive(
        options, args.data, name="bsds500.zip", members="images/test"
    )
    photos = _common.load_photos(archive, "images/test", args.n_photos)
    tables, rows = {}, {}
    with threadpool_limits(args.threads):
        for key, clip in (("added", False), ("clipped", True)):
            rows[key] = []
            for label, method in METHODS.items():
                row = {"label": label} | measure(photos, method, clip)
                rows[key].append(row)
                cells = "  ".join(
                    f"{k} {v:.3g}" for k, v in row.items() if k != "label"
                )
                print(f"{key:8} {label:18} {cells}", flush=True)
    own = {f"mean_{s}": (f"{s}: off by, %", ".1f") for s in SIGMAS}
    within = {f"within_{s}": (f"{s}: 95 % within, %", ".1f") for s in SIGMAS}
    zero = {"clean": ("no noise: found", ".2f"), "clean_within": ("95 % below", ".2f")}
    columns = {k: v for s in SIGMAS for k, v in _pair(own, within, s)}
    columns |= zero | {"seconds": ("seconds a photo", ".3f")}
    best = dict.fromkeys([k for k in columns if k != "seconds"], "min")
    for key, found in rows.items():
        tables[key] = _record.table(
            "estimate", _record.columns(best=best, **columns), found
        )
    _common.write_json(args.json, rows)
    settings = {"photos": "test photos of BSDS500", "n_photos": len(photos)}
    _record.record(args, "noise_estimation", tables=tables, settings=settings)


def _pair(first, second, sigma):
    keys = ((first, f"mean_{sigma}"), (second, f"within_{sigma}"))
    return [(key, table[key]) for table, key in keys]


if __name__ == "__main__":
    main()
