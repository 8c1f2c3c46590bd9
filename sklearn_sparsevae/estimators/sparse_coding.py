"""SC-VAE: sparse coding by learned ISTA between an encoder and a decoder."""

import dataclasses

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_sparsevae.bottlenecks import (
    PENALTIES,
    THRESHOLDS,
    LearnedISTA,
    LearnedPursuit,
)
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import POSITIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(terms=("reconstruction", "latent", "sparsity"))
class SparseCodingVAE(BaseSparseAutoencoder):
    """Sparse coding-based autoencoder with learned ISTA (SC-VAE).

    Minimises, over encoder E, decoder G, dictionary D and the parameters of the
    rollout that computes the codes Z (SC-VAE [1]_, Equations 1 to 5)::

        1/2 ||x - G(Z D)||^2 + 1/2 ||E(x) - Z D||^2 + 2 alpha penalty(Z)

    averaged over sites. With ``shrinkage="support"`` the penalty is ``1/2 alpha^2`` for
    each non-zero, which the pursuit that computes the codes obeys and the loss leaves
    out. With the default backbone the model starts as classical sparse coding of
    patches over a dictionary learned from ``X``, and training improves it.

    Parameters
    ----------
    n_components : int, default=512
        Number of atoms K of the dictionary.
    shrinkage : {"soft", "support"}, default="soft"
        What decides which atoms are on: a soft threshold in every step, as in the
        paper, or each step takes the atom that lowers the error most after refitting,
        as long as it lowers the squared error by more than ``alpha ** 2``. That is an
        unrolled pursuit, trained through its coefficients: at equal non-zeros several
        dB better, with most of the dictionary in use, and faster. ``alpha=0.03`` suits
        photos then.
    alpha : float, default=0.1
        Weight of the sparsity penalty, positive; larger is sparser. In units of the
        latents: with images, of pixel values in [0, 1].
    n_rollout_steps : int, default=16
        Steps of the rollout (s in the paper). With ``shrinkage="support"`` each takes
        an atom at most.
    dictionary : {"learned", "dct"} or ndarray (n_components, latent_dim), \
default="learned"
        Atoms trained from a dictionary that is learned on the first latents; the fixed
        overcomplete DCT of the paper, which trains faster but uses a tenth of its
        atoms; or fixed atoms, in the coordinates of ``components_``.
    learn_alpha : bool, default=True
        For soft shrinkage only, as what follows up to ``coupled``. Train the
        thresholds, which start at ``alpha``; otherwise they stay there. (The weight in
        the loss is never trained: its minimum is zero.)
    penalty : {"log", "l1"}, default="log"
        The paper's L1 norm, or the reweighted one [2]_, which has the same slope at
        zero but lets large coefficients be: at equal non-zeros it is worth several dB.
    threshold : {"scalar", "vector", "structured"}, default="scalar"
        Thresholds of the shrinkage: one for each atom (SC-VAE); one for each atom and
        site, inferred from the latents; or those, refined by attention over atoms and
        over sites (SSC-VAE [3]_, Equations 5 to 11).
    momentum : bool, default=True
        Start the rollout as FISTA and train its extrapolation; otherwise as ISTA.
    coupled : bool, default=True
        Tie the inhibition matrix S to the filters W_e and the dictionary; otherwise S
        is a free matrix, and a step takes about twice as long.
    lr : float, default=0.001
        Adam's learning rate for the backbone. The bottleneck's matrices train 3 times,
        its scalars 100 times as fast.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim)
        The atoms, of unit norm. With the residual backbone the first C are the channel
        means of a patch, which are coded apart and without penalty.
    {attributes}

    References
    ----------
    .. [1] P. Xiao, P. Qiu, S. Ha, A. Bani, S. Zhou, A. Sotiras. "SC-VAE: Sparse
       Coding-based Variational Autoencoder with Learned ISTA", 2023.
    .. [2] E. Candes, M. Wakin, S. Boyd. "Enhancing Sparsity by Reweighted l1
       Minimization". J. Fourier Anal. Appl. 14, 2008.
    .. [3] H. Wang, L. Wang, Z. Wang, L. Ma, Y. Luo. "SSC-VAE: Structured Sparse Coding
       Based Variational Autoencoder for Detail Preserved Image Reconstruction". AAAI
       2025.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import SparseCodingVAE
    >>> images = load_digits().images[:200] / 16
    >>> model = SparseCodingVAE(
    ...     n_components=32, n_downsamples=2, max_epochs=2, random_state=0
    ... ).fit(images)
    >>> codes = model.transform(images)
    >>> codes.shape, codes.grid_shape
    ((200, 128), (2, 2))
    >>> model.inverse_transform(codes).shape
    (200, 8, 8)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "shrinkage": [StrOptions({"soft", "support"})],
        "alpha": [POSITIVE],
        "n_rollout_steps": [POSITIVE_INT],
        "dictionary": [StrOptions({"learned", "dct"}), np.ndarray],
        "learn_alpha": ["boolean"],
        "penalty": [StrOptions(set(PENALTIES))],
        "threshold": [StrOptions(set(THRESHOLDS))],
        "momentum": ["boolean"],
        "coupled": ["boolean"],
    }

    n_components: int = dataclasses.field(default=512, kw_only=False)
    shrinkage: str = "soft"
    alpha: float = 0.1
    n_rollout_steps: int = 16
    dictionary: str | np.ndarray = "learned"
    learn_alpha: bool = True
    penalty: str = "log"
    threshold: str = "scalar"
    momentum: bool = True
    coupled: bool = True
    n_downsamples: int = 3

    def _make_bottleneck(self, backbone):
        given = isinstance(self.dictionary, np.ndarray)
        n_mean_dims = 0 if given else backbone.n_mean_dims
        dictionary = None
        if given:
            dictionary = self.dictionary
        elif self.dictionary == "dct":
            dictionary = backbone.dct_dictionary(self.n_components)
        if self.shrinkage == "support":
            self._refuse_what_shrinks_softly()
            return LearnedPursuit(
                backbone.latent_dim,
                self.n_components,
                float(self.alpha),
                self.n_rollout_steps,
                dictionary=dictionary,
                n_mean_dims=n_mean_dims,
            )
        return LearnedISTA(
            backbone.latent_dim,
            self.n_components,
            float(self.alpha),
            self.n_rollout_steps,
            momentum=self.momentum,
            coupled=self.coupled,
            learn_alpha=self.learn_alpha,
            dictionary=dictionary,
            n_mean_dims=n_mean_dims,
            penalty=self.penalty,
            threshold=self.threshold,
        )

    def _refuse_what_shrinks_softly(self):
        """Say which parameters do nothing where a pursuit selects the atoms."""
        soft = ("learn_alpha", "penalty", "threshold", "momentum", "coupled")
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name in soft
            if getattr(self, name) != defaults[name]
        ]
        if changed:
            raise ValueError(
                f"{' and '.join(changed)} belong to shrinkage='soft', got "
                "shrinkage='support': leave them at their defaults, or set "
                "shrinkage='soft'."
            )
