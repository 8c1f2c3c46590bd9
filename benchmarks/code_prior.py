"""Bits and images of `CodePrior` on the codes of scikit-learn's digits.

Every bottleneck is fitted on three quarters of the digits, and a prior with default
settings on their codes. What is judged is the other quarter. It needs no data.

How to read the table: *dB* is the PSNR of codes, and of codes with coefficients rounded
to the prior's levels. *tokens* are those of an image (see ``CodePrior.n_tokens``), and
after them come bits of an image: *unigram* with the frequencies of tokens in training
(atoms and ends, levels) and nothing else known, *sets* the same less what the order of
the atoms of a site costs there, and *prior*. *saved* is the part of *unigram* that the
prior does without, of an image as of a token. *sure* is the mean largest probability of
a digit for 500 drawn images, by logistic regression on real digits; above the table
that for real ones, and *mixed* that for held-out codes whose sites changed places with
those of other images, which are no digits: only what is well above it says anything.
*fit s* are CPU seconds of the prior. Last, images drawn from `GaussianVAE`.

Run ``python benchmarks/code_prior.py``.
"""

import argparse
import time

import _common
import _record
import numpy as np
import torch
from scipy.special import gammaln
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    VQVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
)
from sklearn_sparsevae.metrics import psnr

FIT = {"max_epochs": 20, "random_state": 0}
ENCODERS = {
    "VQ, 4x4 sites": VQVAE(64, n_downsamples=1, **FIT),
    "VQ, 2x2 sites": VQVAE(128, n_downsamples=2, **FIT),
    "RQ, 4 levels": VQVAE(64, n_quantizers=4, n_downsamples=2, **FIT),
    "OMP, 3 non-zeros": DictionaryLearningVAE(
        64, n_nonzero_coefs=3, n_downsamples=2, **FIT
    ),
    "LISTA": SparseCodingVAE(64, shrinkage="soft", n_downsamples=2, **FIT),
}
N_DRAWN = 500
LEAST_SAVED, LEAST_CONFIDENCE = 0.2, 0.8


class Judge:
    """How sure a classifier of real digits is of images."""

    def __init__(self, images, labels):
        self.model = LogisticRegression(C=10, max_iter=3000)
        self.model.fit(images.reshape(len(images), -1), labels)

    def confidence(self, images):
        """Mean of the largest probability."""
        rows = images.reshape(len(images), -1)
        return float(self.model.predict_proba(rows).max(axis=1).mean())

    def accuracy(self, images, labels):
        """Part of the images that it gets right."""
        return float(self.model.score(images.reshape(len(images), -1), labels))


def frequencies(symbols, n_symbols):
    """Bits of each symbol by how often it came, once more than it did."""
    counts = np.bincount(symbols, minlength=n_symbols) + 1
    return -np.log2(counts / counts.sum())


def symbols(prior, codes):
    """Atoms and ends, and levels, of all sites, in two flat arrays."""
    tokens, space = prior.tokenizer_.encode(codes), prior.tokenizer_.space
    atoms, bins = tokens.reshape(-1, space.n_slots, 2).transpose(2, 0, 1)
    is_pair = atoms < space.n_atoms
    first_end = (
        ~is_pair & np.pad(is_pair, [(0, 0), (1, 0)], constant_values=True)[:, :-1]
    )
    return atoms[is_pair | first_end], bins[is_pair]


def unigram_bits(prior, train, test):
    """Bits of an image for a coder that knows frequencies alone."""
    space, bits = prior.tokenizer_.space, 0.0
    sizes = space.n_atoms + 1, space.n_bins
    for seen, held_out, size in zip(
        symbols(prior, train), symbols(prior, test), sizes, strict=True
    ):
        bits += frequencies(seen, size)[held_out].sum()
    return bits / test.shape[0]


def order_bits(prior, codes):
    """Bits of an image that say in which order the pairs of a site come."""
    sites = prior.tokenizer_.decode(prior.tokenizer_.encode(codes)).sites()
    if not prior.tokenizer_.space.counts:
        sites.data[:] = 1
    log_orders = gammaln(sites.sum(axis=1) + 1).sum() - gammaln(sites.data + 1).sum()
    return log_orders / np.log(2) / codes.shape[0]


def mixed(codes):
    """Codes whose sites are drawn from all sites of all images."""
    sites = codes.sites()
    order = np.random.RandomState(_common.SEED).permutation(sites.shape[0])
    rows = sites[order].reshape(codes.shape)[:N_DRAWN]
    names = ("grid_shape", "n_mean_atoms", "image_shape")
    known = {name: getattr(codes, name) for name in names}
    return SparseCodes(rows.tocsr(), **known)


def measure(encoder, images, judge):
    """Fit encoder and prior; return a row of the table."""
    train, test = images
    encoder.fit(train)
    codes, held_out = encoder.transform(train), encoder.transform(test)
    prior = CodePrior(random_state=0)
    fit_seconds, _ = _common.timed_fit(prior, codes)
    rounded = prior.tokenizer_.decode(prior.tokenizer_.encode(held_out))
    start = time.process_time()
    new_codes = prior.sample(N_DRAWN, random_state=0)
    draw_seconds = time.process_time() - start
    bits = -prior.score(held_out) / np.log(2)
    unigram = unigram_bits(prior, codes, held_out)
    return {
        "psnr": encoder.score(test),
        "psnr_rounded": psnr(test, encoder.inverse_transform(rounded)),
        "tokens": float(prior.n_tokens(held_out).mean()),
        "unigram": unigram,
        "sets": unigram - order_bits(prior, held_out),
        "bits": bits,
        "bits_train": -prior.score(codes) / np.log(2),
        "saved": 1 - bits / unigram,
        "confidence": judge.confidence(encoder.inverse_transform(new_codes)),
        "confidence_mixed": judge.confidence(
            encoder.inverse_transform(mixed(held_out))
        ),
        "fit_seconds": fit_seconds,
        "epochs": prior.n_epochs_,
        "draw_seconds": draw_seconds,
    }


def print_row(name, row):
    """Print a line of the table."""
    print(
        f"{name:17s} {row['psnr']:5.1f} {row['psnr_rounded']:5.1f} "
        f"{row['tokens']:6.1f} {row['unigram']:8.1f} {row['sets']:7.1f} "
        f"{row['bits']:7.1f} {row['saved']:6.0%} {row['confidence']:5.2f} "
        f"{row['confidence_mixed']:5.2f} "
        f"{row['fit_seconds']:6.0f}",
        flush=True,
    )


def to_table(rows, confidence_gaussian):
    """One row for each kind of codes, and `GaussianVAE`, which has none."""
    columns = _record.columns(
        psnr=("PSNR, dB", ".1f"),
        psnr_rounded=("rounded", ".1f"),
        tokens=("tokens", ".0f"),
        unigram=("frequencies", ".1f"),
        sets=("as sets", ".1f"),
        bits=("prior", ".1f"),
        bits_train=("prior, in training", ".1f"),
        saved=("saved", ".0%"),
        confidence=("sure", ".2f"),
        confidence_mixed=("mixed", ".2f"),
        fit_seconds=("CPU-seconds of the prior", ".0f"),
    )
    made = [
        {"key": _record.key(name), "label": name} | row for name, row in rows.items()
    ]
    gaussian = {"key": "gaussianvae", "label": "`GaussianVAE`, for comparison"}
    made.append(gaussian | {"confidence": confidence_gaussian, "reference": True})
    return _record.table("codes", columns, made)


def main():
    """Read the command line, run, print, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _common.add_common(options, "code_prior.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    digits = load_digits()
    train, test, labels, test_labels = train_test_split(
        (digits.images / 16).astype(np.float32),
        digits.target,
        test_size=0.25,
        random_state=0,
        stratify=digits.target,
    )
    with threadpool_limits(args.threads):
        judge = Judge(train, labels)
        real = judge.confidence(test)
        print(
            f"{len(train)} digits to train on, {len(test)} held out; the classifier "
            f"gets {judge.accuracy(test, test_labels):.1%} of them right, with "
            f"confidence {real:.2f}\n\n{'codes':17s} {'dB':>5s} {'round':>5s} "
            f"{'tokens':>6s} {'unigram':>8s} {'sets':>7s} {'prior':>7s} {'saved':>6s} "
            f"{'sure':>5s} {'mixed':>5s} {'fit s':>6s}"
        )
        rows = {}
        for name, encoder in ENCODERS.items():
            rows[name] = measure(encoder, (train, test), judge)
            print_row(name, rows[name])
        gaussian = GaussianVAE(16, n_downsamples=3, **FIT).fit(train)
        drawn = judge.confidence(gaussian.sample(N_DRAWN, random_state=0))
        print(f"{'GaussianVAE':60s} {drawn:8.2f}\n")
    vq = rows["VQ, 4x4 sites"]
    goals = [
        _common.verdict(
            f"VQ: {vq['saved']:.0%} of the bits saved (goal: {LEAST_SAVED:.0%})",
            vq["saved"] >= LEAST_SAVED,
        ),
        _common.verdict(
            f"VQ: confidence {vq['confidence']:.2f} (goal: {LEAST_CONFIDENCE})",
            vq["confidence"] > LEAST_CONFIDENCE,
        ),
    ]
    content = {"threads": args.threads, "confidence_real": real, "rows": rows}
    content |= {"confidence_gaussian": drawn, "goals": goals}
    _common.write_json(args.json, content)
    _record.record(
        args,
        "code_prior",
        tables={"codes": to_table(rows, drawn)},
        figures={"confidence_real": real},
        settings={
            "data": "scikit-learn's digits",
            "n_train": len(train),
            "n_test": len(test),
            "n_drawn": N_DRAWN,
        },
    )


if __name__ == "__main__":
    main()
