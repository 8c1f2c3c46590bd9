"""Codes as sparse matrices: `transform` to CSR, and back from it.

Photos of 128x128 pixels, 32x32 sites of 512 atoms, 5 non-zeros a site. *Conversion* is
the part of `transform` after the coding: from the atoms and values of every site to one
matrix; the peer fills a dense array and converts that, the limit is a copy of the
result. The limit of `transform` is encoding and matching pursuit alone, that of
`inverse_transform` the decoder alone; its peer multiplies the sparse sites with the
atoms and decodes the product.
"""

import numpy as np
import torch
from scipy import sparse

from rows._contenders import Here, peak_growth, race
from rows._photos import crops
from rows._results import Check, Result, ratio
from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.estimators._collecting import collect_codes
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.autoencoder import channels_first
from sklearn_sparsevae.training.inference import code_coordinates

SIDE, SITES, N_ATOMS = 128, (32, 32), 512
MANY, SOME, BATCH = 1000, 96, 16  # images for memory, for time, in a batch of ours
BATCH_MIB = BATCH * 32 * 32 * N_ATOMS * 4 / 2**20  # dense codes of a batch


def make_model():
    """DictionaryLearningVAE where training starts; how good it is does not matter."""
    model = DictionaryLearningVAE(N_ATOMS, n_nonzero_coefs=5, max_epochs=0)
    return model.fit(crops(32, 256))


def compact_codes(model, images):
    """Codes of images by batch, as the bottleneck gives them."""
    module = model.net_.module_
    with torch.no_grad():
        return [
            module.bottleneck.encode(module.latents(channels_first(batch)))
            for batch in torch.from_numpy(InputSpec().open(images).unit()).split(BATCH)
        ]


def convert(parts):
    """Ours: codes of all batches as one matrix; with thumbnails of no pixels."""
    sizes = [len(part.indices) for part in parts]
    batches = (
        (*code_coordinates(part), np.empty((size, 0)))
        for part, size in zip(parts, sizes, strict=True)
    )
    codes, _ = collect_codes(batches, sum(sizes), grid_shape=SITES, n_atoms=N_ATOMS)
    return codes


def convert_dense(parts):
    """Plainly: fill a dense array, convert that."""
    n_sites = sum(len(part.indices) for part in parts) * SITES[0] * SITES[1]
    dense = torch.zeros(n_sites, N_ATOMS)
    start = 0
    for part in parts:
        indices, values = part.indices.flatten(0, 2), part.values.flatten(0, 2)
        rows = dense[start : start + len(indices)]
        rows.scatter_add_(1, indices.clamp(min=0), values)
        start += len(indices)
    n_images = n_sites // (SITES[0] * SITES[1])
    return sparse.csr_array(dense.numpy().reshape(n_images, -1))


def measure_conversion(parts):
    """Measure the conversion part."""
    codes = convert(parts)
    contenders = {
        "ours": lambda: convert(parts),
        "dense array": lambda: convert_dense(parts),
        "copy": lambda: (codes.data.copy(), codes.indices.copy()),
    }
    figures = race({name: Here(run, SOME) for name, run in contenders.items()})
    ours, peer, limit = figures.values()
    text = "conversion to CSR over a dense array"
    check = Check(text, ratio(ours, peer), at_least=20)
    return Result("conversion to CSR", "images/s", ours, (peer,), limit, (check,))


def measure_transform(model, images):
    """Measure `transform`."""
    some = images[:SOME]
    contenders = {
        "ours": lambda: model.transform(some),
        "network, OMP": lambda: compact_codes(model, some),
    }
    figures = race({name: Here(run, SOME) for name, run in contenders.items()})
    return Result(
        "transform",
        "images/s",
        figures["ours"],
        limit=figures["network, OMP"],
        checks=memory_checks(model, images),
    )


def memory_checks(model, images):
    """Goal for the memory of `transform`."""
    kept = []
    growth = peak_growth(lambda: kept.append(model.transform(images)))
    if growth is None:
        return ()
    codes = kept[0]
    size = (codes.data.nbytes + codes.indices.nbytes + codes.indptr.nbytes) / 2**20
    text = f"transform of {len(images)} images, memory less a batch, over the result's"
    return (Check(text, (growth - BATCH_MIB) / size, at_most=2.5),)


def measure_inverse(model, codes):
    """Measure `inverse_transform`."""
    module = model.net_.module_

    @torch.no_grad()
    def decode(latents):
        for batch in latents.split(BATCH):
            module.images(module.bottleneck.from_rows(batch.unflatten(1, SITES)))

    def by_product():
        rows = torch.from_numpy(codes.sites() @ model.components_)
        decode(rows.unflatten(0, (codes.shape[0], -1)))

    latents = torch.randn(
        codes.shape[0], SITES[0] * SITES[1], module.backbone.latent_dim
    )
    contenders = {
        "ours": lambda: model.inverse_transform(codes),
        "sparse product": by_product,
        "decoder": lambda: decode(latents),
    }
    figures = race({name: Here(run, SOME) for name, run in contenders.items()})
    ours, peer, limit = figures.values()
    return Result("inverse_transform", "images/s", ours, (peer,), limit)


def measure():
    """Results of this row."""
    model, images = make_model(), crops(SIDE, MANY)
    some = images[:SOME]
    return [
        measure_conversion(compact_codes(model, some)),
        measure_transform(model, images),
        measure_inverse(model, model.transform(some)),
    ]
