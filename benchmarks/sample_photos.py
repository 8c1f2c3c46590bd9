"""Sample photos that were not fitted, coded and restored by models of four others.

Everything stands at its default: random crops of the four training photos that
scikit-learn and scikit-image ship, sites of 8x8 pixels (192 numbers), 512 atoms.
*PSNR* in dB and *SSIM* are means over the three test photos, *non-zeros* those of a
site, *fit* the CPU-seconds of the fit. ``make demo`` shows the first model.

Run ``python benchmarks/sample_photos.py``; it needs no data.
"""

import argparse

import _common
import _record
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE, metrics
from sklearn_sparsevae.datasets import load_sample_photos

MODELS = (SparseCodingVAE, DictionaryLearningVAE, VQVAE)


def measure(model, train, test):
    """Row of a model: quality and non-zeros on photos that it was not fitted on."""
    seconds, _ = _common.timed_fit(model, train)
    codes = model.transform(test)
    images = model.inverse_transform(codes)
    return {
        "label": f"`{type(model).__name__}`",
        "psnr": metrics.psnr(test, images),
        "ssim": metrics.ssim(test, images),
        "nonzeros": metrics.nonzeros_per_site(codes),
        "cpu_seconds": seconds,
    }


def main():
    """Fit, measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--max-epochs", type=_common.positive, help="not the default")
    _common.add_common(options, "sample_photos.json")
    args = options.parse_args()
    train, test = (load_sample_photos(subset=s).images for s in ("train", "test"))
    rows = []
    print(f"{'':26}{'PSNR':>7}{'SSIM':>7}{'non-zeros':>11}{'fit':>6}")
    with threadpool_limits(args.threads):
        for cls in MODELS:
            model = cls(random_state=_common.SEED, **_common.epochs(args))
            rows.append(measure(model, train, test))
            line = "{label:26}{psnr:7.2f}{ssim:7.3f}{nonzeros:11.1f}{cpu_seconds:6.0f}"
            print(line.format(**rows[-1]), flush=True)
    _common.write_json(args.json, {"rows": rows})
    columns = _record.columns(
        *("psnr", "ssim", "nonzeros", "cpu_seconds"),
        best={"psnr": "max", "ssim": "max"},
    )
    table = _record.table("codes", columns, rows)
    settings = {"photos": "of scikit-learn and scikit-image", "pixels_a_site": 64}
    _record.record(args, "sample_photos", tables={"models": table}, settings=settings)


if __name__ == "__main__":
    main()
