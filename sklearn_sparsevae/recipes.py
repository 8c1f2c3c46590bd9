"""Constructor parameters: one recipe to restore photos, and the papers' as printed.

The defaults of the estimators are made for short codes. `RESTORATION` is what any of
them takes to restore instead::

    DictionaryLearningVAE(**recipes.RESTORATION, target="y").fit(noisy, clean)

The other recipes are for who reproduces a paper: what it says, a read-only mapping for
the class in the table. Other parameters go on top::

    SparseCodingVAE(**{**recipes.SC_VAE, "max_epochs": 1})

=============  ===================================================  ===================
Recipe         Estimator                                            Paper
=============  ===================================================  ===================
``SC_VAE``     :class:`~sklearn_sparsevae.SparseCodingVAE`          SC-VAE [1]_
``SSC_VAE``    :class:`~sklearn_sparsevae.SparseCodingVAE`          SSC-VAE [2]_
``DL_VAE``     :class:`~sklearn_sparsevae.DictionaryLearningVAE`    LASERS [3]_
``DL_GAN``     :class:`~sklearn_sparsevae.DictionaryLearningVAE`    LASERS [3]_
``VQ_VAE``     :class:`~sklearn_sparsevae.VQVAE`                    LASERS [3]_
``VQ_GAN``     :class:`~sklearn_sparsevae.VQVAE`                    LASERS [3]_
``RQ_VAE``     :class:`~sklearn_sparsevae.VQVAE`                    RQ-VAE [4]_
``VSC``        :class:`~sklearn_sparsevae.SpikeSlabVAE`             VSC [5]_
``VSCLT``      :class:`~sklearn_sparsevae.SpikeSlabVAE`             VSCLT [6]_
=============  ===================================================  ===================

What departs from the papers is said with each recipe, and for all of them:

* Pixels are in [0, 1] for the network and the losses, whatever the range of the images.
  In [-1, 1], where some of the papers' codes work, squared errors are 4 times as large.
* Adam's moments decay by 0.9 and 0.99, and some parameters of a bottleneck train faster
  than ``lr``: the estimators say which.
* Dictionaries and codebooks that are trained start from the first latents, not from
  noise, and atoms that are hardly used are replaced. Those of dictionaries have unit
  norm.
* No paper says that it clips gradients: ``gradient_clip`` is so large that none is.
* The last weights are kept, not the best ones, but for SSC-VAE.

References
----------
.. [1] P. Xiao, P. Qiu, S. Ha, A. Bani, S. Zhou, A. Sotiras. "SC-VAE: Sparse
   Coding-based Variational Autoencoder with Learned ISTA", 2023.
.. [2] H. Wang, L. Wang, Z. Wang, L. Ma, Y. Luo. "SSC-VAE: Structured Sparse Coding
   Based Variational Autoencoder for Detail Preserved Image Reconstruction". AAAI 2025.
.. [3] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for Representations with
   Sparsity for Generative Modeling", 2024.
.. [4] D. Lee, C. Kim, S. Kim, M. Cho, W.-S. Han. "Autoregressive Image Generation using
   Residual Quantization". CVPR 2022.
.. [5] F. Tonolini, B. S. Jensen, R. Murray-Smith. "Variational Sparse Coding". UAI
   2019.
.. [6] K. Fallah, C. J. Rozell. "Variational Sparse Coding with Learned Thresholding".
   ICML 2022.

Examples
--------
>>> from sklearn_sparsevae import SparseCodingVAE, recipes
>>> model = SparseCodingVAE(**{**recipes.SC_VAE, "max_epochs": 1})
>>> model.alpha, model.n_rollout_steps, model.max_epochs
(1.0, 16, 1)
"""

import copy
from collections.abc import Mapping

__all__ = [
    "DL_GAN",
    "DL_VAE",
    "RESTORATION",
    "RQ_VAE",
    "SC_VAE",
    "SSC_VAE",
    "VQ_GAN",
    "VQ_VAE",
    "VSC",
    "VSCLT",
]

# Longer than any gradient.
_NO_CLIPPING = 1e9


class _Recipe(Mapping):
    """Read-only dict that hands out copies of the dicts in it."""

    def __init__(self, parameters):
        self._parameters = dict(parameters)

    def __getitem__(self, name):
        return copy.deepcopy(self._parameters[name])

    def __iter__(self):
        return iter(self._parameters)

    def __len__(self):
        return len(self._parameters)

    def __repr__(self):
        return repr(self._parameters)


#: To restore photos, for :class:`~sklearn_sparsevae.DictionaryLearningVAE`,
#: :class:`~sklearn_sparsevae.SparseCodingVAE` and the other autoencoders: ours, of no
#: paper.
#:
#: Sites of 2 x 2 pixels, of which codes hold nearly all, as what limits restoration is
#: the network: 64 channels, 4 blocks, many small batches of crops that are turned and
#: mirrored. With 200 photos of 128 x 128 pixels an epoch has 175 batches; where photos
#: are larger or more it has as many crops as cover them, and fewer epochs will do.
#: Pairs come with ``target="y"``, clean photos alone with ``degrade``; ``reconstruct(X,
#: n_shifts=4)`` gains a little more. :doc:`/results/gaps` says what it reaches.
#:
#: ``precision="bf16"`` halves the time where the processor has AMX instructions; on
#: others it can be slower, so that it is left out here.
RESTORATION = _Recipe(
    {
        "n_components": 64,
        "n_downsamples": 1,
        "backbone_params": {"width": 64, "n_blocks": 4},
        "crop_size": 48,
        "augment": True,
        "max_epochs": 10,
        "batch_size": 8,
        "lr": 0.002,
    }
)

#: SC-VAE with 32 x 32 codes, for :class:`~sklearn_sparsevae.SparseCodingVAE`.
#:
#: *Printed* (Section 5, "Implementation Details", and Table 4): VQGAN's encoder and
#: decoder of 128 to 512 channels, d = 3 downsamplings (4, 6 and 8 are the paper's other
#: three) of images that are resized to 256 x 256 pixels; latents of length 256, 512
#: atoms of a fixed DCT; 16 steps of Eq. 2 with trained W_e, S and theta, shared by the
#: steps; alpha = 1; Adam with 1e-4, 10 epochs, batches of 16. The loss is that of Eqs.
#: 3 to 5: squared errors summed over the pixels, without 1/2, and means over the sites.
#:
#: *Departures.* The loss is Eq. 5 divided by twice the number of sites, which Adam does
#: not see (its epsilon apart). A 256 x 512 dictionary cannot be orthogonal: this is the
#: overcomplete DCT, and L its largest eigenvalue (3.8). The thresholds start at theta =
#: alpha / L, as printed, though Eq. 4 lacks the 1/2 of Eq. 1 and would ask for half of
#: that; softplus keeps them from turning negative. "alpha was initialized to 1 and then
#: updated" is taken for theta: alpha, as a weight in the loss, would go to zero. What
#: is trained is L W_e, L (I - S), at 3 times ``lr``, and L theta: W_e moves by 3 / L of
#: what Adam with ``lr`` would give it. Where a trained rollout explains less of a
#: latent than no code would, its code is plain ISTA's. The paper kept the model with
#: the lowest total loss, without saying on which images.
SC_VAE = _Recipe(
    {
        "backbone": "vqgan",
        "backbone_params": {"width": 128},
        "n_downsamples": 3,
        "latent_dim": 256,
        "n_components": 512,
        "dictionary": "dct",
        "shrinkage": "soft",
        "penalty": "l1",
        "alpha": 1.0,
        "threshold": "atom",
        "learn_alpha": True,
        "n_rollout_steps": 16,
        "momentum": False,
        "coupled": False,
        "bottleneck_params": {"printed_loss": True, "step_scalars": False},
        "crop_size": None,
        "max_epochs": 10,
        "batch_size": 16,
        "lr": 1e-4,
        "lr_schedule": None,
        "gradient_clip": _NO_CLIPPING,
    }
)

#: SSC-VAE on BSDS500, for :class:`~sklearn_sparsevae.SparseCodingVAE`.
#:
#: *Printed* (Sections 3.2, 4.2 and 4.4): SC-VAE's system with thresholds inferred for
#: each atom and site and refined by attention (Eqs. 5 to 11), in networks of the width
#: that explains Table 4 (22.95 - 19.12 = 3.83 million parameters); pieces of 256 x 256
#: pixels, 200 epochs (400 for ultrasound); weights with the lowest validation loss, 50
#: images beside 400. Give it those 450.
#:
#: *Not given*: the optimiser. Adam with 1e-4 and batches of 16 are the released code's.
#: Nor where the thresholds start: ours start at 1, SC-VAE's alpha.
#:
#: *Departures* beside SC-VAE's. The text says VQGAN's encoder and decoder, and so does
#: this recipe. The released code has others (max pooling and batch normalisation, a
#: sigmoid), and only with them has the whole model the 22.95 million parameters of
#: Table 4: this one has 65 million and the 3.83. The weights of Eq. 7's penalty are the
#: thresholds over their mean, times alpha, within a factor of 2 and without a gradient:
#: otherwise training lowers thresholds and penalty together. The attentions are factors
#: in (0, 2) and start at 1. One number that all thresholds share trains at 100 times
#: ``lr``. Crops are random, where the paper cuts every image by a sliding window, and
#: an epoch has as many as cover the images.
SSC_VAE = _Recipe(
    {
        **SC_VAE,
        "threshold": "structured",
        "bottleneck_params": {
            "printed_loss": True,
            "step_scalars": False,
            "threshold_width": 256,
        },
        "crop_size": 256,
        "max_epochs": 200,
        "early_stopping": True,
        "validation_fraction": 50 / 450,
        "n_epochs_no_change": 200,
        "tol": 0.0,
    }
)

# What LASERS' four systems share (Sections 5 and 9).
_LASERS = {
    "backbone": "light",
    "backbone_params": {"width": 128, "hidden": 128},
    "n_downsamples": 2,
    "latent_dim": 16,
    "n_components": 512,
    "patch_size": 1,
    # Half of the printed beta = 0.25, as the loss of the images has a 1/2.
    "commitment_weight": 0.25 / 2,
    "perceptual_weight": 0.5,
    "crop_size": None,
    "max_epochs": 200,
    "batch_size": 256,
    "lr": 1e-4,
    "lr_schedule": None,
    "gradient_clip": _NO_CLIPPING,
}

# What a discriminator adds (Sections 3.4 and 9).
_LASERS_GAN = {"adversarial_weight": 1.0, "adversarial_start": 200, "max_epochs": 220}

#: LASERS' DL-VAE on CIFAR-10, for :class:`~sklearn_sparsevae.DictionaryLearningVAE`.
#:
#: *Printed* (Sections 5 and 9): two strided 4 x 4 convolutions, two residual blocks,
#: "all having 128 hidden units"; a dictionary of 512 x 16, OMP with 5 non-zeros,
#: trained by the gradient of Eq. 13 with beta = 0.25; Eq. 6 with eta = 0.5; Adam with
#: 1e-4; 200 epochs of CIFAR-10 in batches of 256. On Oxford Flowers ``crop_size=256``
#: and ``max_epochs=1000``; its batch size is not given.
#:
#: *Departures.* The loss is Eq. 13 with Eq. 6, halved (so ``commitment_weight`` is
#: 0.125 here) and divided by the number of sites. The codebook term is not halved: it
#: is all that trains the atoms, so Adam does not see its weight. LPIPS is multiplied by
#: the numbers of an image: Eq. 6 as printed adds it to a sum over pixels, where it
#: would not count; the released code takes means of both, and so does this. It needs
#: the weights of VGG16 (``perceptual_network``); ``"perceptual_weight": 0`` does
#: without, eta = 1. The first convolution has 64 channels, as in the released code,
#: which has 32 units inside its blocks in place of the text's 128. Patches of latents
#: are not coded together: the text gives no size, and atoms of length 16 leave room for
#: one site. Codes do not depend on batch mates, as those of the released code do.
DL_VAE = _Recipe(
    {
        **_LASERS,
        "n_nonzero_coefs": 5,
        "selection": "omp",
        "dictionary_update": "gradient",
    }
)

#: LASERS' DL-GAN, for :class:`~sklearn_sparsevae.DictionaryLearningVAE`.
#:
#: *Printed* (Sections 3.4 and 9): `DL_VAE` and 20 more epochs with a PatchGAN
#: discriminator, by the adaptive weight of Eq. 16 alone.
#:
#: *Departures* beside DL-VAE's: the hinge form of Eq. 14, and a discriminator whose
#: learning rate, which is not given, is the model's.
DL_GAN = _Recipe({**DL_VAE, **_LASERS_GAN})

#: LASERS' VQ-VAE, for :class:`~sklearn_sparsevae.VQVAE`.
#:
#: *Printed* (Sections 5 and 9): the encoder, decoder, loss and optimiser of `DL_VAE`,
#: with a codebook of 512 x 16 that moving averages with a decay of 0.99 train.
#:
#: *Departures*: DL-VAE's.
VQ_VAE = _Recipe(
    {**_LASERS, "n_quantizers": 1, "codebook_update": "ema", "decay": 0.99}
)

#: LASERS' VQ-GAN, for :class:`~sklearn_sparsevae.VQVAE`.
#:
#: *Printed* (Sections 3.4 and 9): `VQ_VAE` with what `DL_GAN` adds. It is not the
#: larger network of Esser et al. (2021), for which set ``backbone="vqgan"``.
#:
#: *Departures*: DL-GAN's.
VQ_GAN = _Recipe({**VQ_VAE, **_LASERS_GAN})

#: RQ-VAE with 8 x 8 x 4 codes on FFHQ, for :class:`~sklearn_sparsevae.VQVAE`.
#:
#: *As released* (the configuration of the FFHQ model; SC-VAE's Table 1 lists its shape
#: and codebook): VQGAN's blocks with five downsamplings of 256 x 256 pixels, latents of
#: length 256, four levels over one codebook of 2048 that moving averages with a decay
#: of 0.99 train, commitment weight 0.25; squared error and LPIPS with equal weights, a
#: discriminator with 0.75 from the start; Adam with 4e-5, 150 epochs, batches of 32 on
#: each of four devices.
#:
#: *Departures.* The loss is a quarter of the printed one, by number of sites (so
#: ``commitment_weight`` is 0.0625 here), LPIPS as in `DL_VAE`. The commitment term is
#: that of the sum of all levels, where the paper adds one for every partial sum. No
#: warm-up of the learning rate (5 epochs). Adam's moments decayed by 0.5 and 0.9. The
#: discriminator has three halvings, not two.
RQ_VAE = _Recipe(
    {
        "backbone": "vqgan",
        "backbone_params": {"width": 128},
        "n_downsamples": 5,
        "latent_dim": 256,
        "n_components": 2048,
        "n_quantizers": 4,
        "codebook_update": "ema",
        "decay": 0.99,
        "patch_size": 1,
        "commitment_weight": 0.25 / 4,
        "perceptual_weight": 0.5,
        "adversarial_weight": 0.75,
        "adversarial_start": 0,
        "crop_size": None,
        "max_epochs": 150,
        "batch_size": 128,
        "lr": 4e-5,
        "lr_schedule": None,
        "gradient_clip": _NO_CLIPPING,
    }
)

#: VSC on Fashion-MNIST, for :class:`~sklearn_sparsevae.SpikeSlabVAE`: flat rows.
#:
#: *As released* (the Fashion-MNIST example of the authors' code): 60 dimensions, one
#: hidden layer of 3000 units on each side, alpha = 0.01, 10 pseudo-inputs, Adam with
#: 5e-4, 100,000 batches of 500 of 60,000 images, a warm-up of 5,000 batches.
#:
#: *Departures.* `sklearn_sparsevae.bottlenecks.spike_slab` lists those of the model:
#: the most important is the start, as thresholded linear analysis that the hidden
#: layers add to. The warm-up raises the weight of the KL divergence during the first 42
#: epochs, where the paper's brings in the slabs after 375. The variance of the
#: decoder's noise stays at 0.01 (not given; ours), where the paper's decoder learns it:
#: about the mean squared error that training ends at, which a learned one would become.
#: The larger one that our default takes for alpha = 0.01 leaves no code at all. The
#: decoder has no sigmoid. Rows are standardised, not brought to unit length. The
#: learning rate stays, where the code lowers it after 375 epochs.
VSC = _Recipe(
    {
        "backbone": "dense",
        "backbone_params": {"width": 3000},
        "latent_dim": 60,
        "n_components": 60,
        "prior": "spike_slab",
        "sparsity": 0.01,
        "beta": 1.0,
        "beta_warmup": 42,
        "noise_variance": 0.01,
        "n_pseudo_inputs": 10,
        "max_epochs": 833,
        "batch_size": 500,
        "lr": 5e-4,
        "lr_schedule": None,
        "gradient_clip": _NO_CLIPPING,
    }
)

#: VSCLT on CelebA, for :class:`~sklearn_sparsevae.SpikeSlabVAE`: 64 x 64 colour images.
#:
#: *As released* (the CelebA configuration whose thresholds are learned): 225 dimensions
#: for the whole image, a convolutional encoder and decoder, thresholds with the prior
#: Gamma(3, 3 / 0.25), Adam with 3e-4, 200 epochs, batches of 250 on each of two
#: devices, the mean squared error with 1e-4 times the KL divergence; and, of the
#: configurations with a fixed prior, its Laplace scale of 0.1.
#:
#: *How that is said here.* The prior's threshold is 2.5 of its scales, which leaves a
#: share ``(1 + 2.5 / 3) ** -3`` on: ``sparsity``. With c = 1e-4 / 2 times the 12,288
#: numbers of an image, the balance of squared error and KL divergence is that of the
#: code.
#:
#: *Departures.* `sklearn_sparsevae.bottlenecks.spike_slab` lists those of the model.
#: The backbone is LASERS', whose six strided 4 x 4 convolutions to one site are much
#: like the paper's five, without batch normalisation or a sigmoid. The prior is fixed
#: but for the scales of its dimensions, not that of a pseudo-input that a classifier
#: chooses. The KL divergence of the thresholds has the weight of the other, not a
#: tenth. One sample is drawn, not the best of several. No weight decay; the cosine
#: schedule has no warm-up. The weight of the KL divergence rises during the first tenth
#: of the epochs: the code can do so but does not in this configuration; ours, without
#: it, forgets its codes before its decoder has learned anything.
VSCLT = _Recipe(
    {
        "backbone": "light",
        "backbone_params": {"width": 256},
        "n_downsamples": 6,
        "latent_dim": 256,
        "n_components": 225,
        "prior": "threshold",
        "sparsity": (1 + 0.25 / 0.1 / 3) ** -3,
        "beta": 1.0,
        "beta_warmup": 20,
        "noise_variance": 1e-4 * 64 * 64 * 3 / 2,
        "crop_size": None,
        "max_epochs": 200,
        "batch_size": 500,
        "lr": 3e-4,
        "lr_schedule": "cosine",
        "gradient_clip": _NO_CLIPPING,
    }
)
