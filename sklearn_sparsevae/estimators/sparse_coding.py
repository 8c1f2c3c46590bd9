"""SC-VAE: sparse coding between an encoder and a decoder."""

import dataclasses
import inspect
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.bottlenecks import (
    PENALTIES,
    THRESHOLDS,
    LearnedISTA,
    LearnedPursuit,
)
from sklearn_sparsevae.estimators._building import check_options
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import POSITIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder

# Parameters that only soft shrinkage has, and what ``bottleneck_params`` may hold.
_SOFT = ("penalty", "momentum", "coupled")
_EXTRA = ("threshold_width", "step_scalars", "printed_loss")


@shares_parameters(terms=("reconstruction", "latent", "sparsity"))
class SparseCodingVAE(BaseSparseAutoencoder):
    """Autoencoder with sparse codes by a trained pursuit or learned ISTA (SC-VAE).

    Minimises, over encoder E, decoder G, dictionary D and the parameters of the
    rollout that computes the codes Z (SC-VAE [1]_, Equations 1 to 5)::

        1/2 ||x - G(Z D)||^2 + 1/2 ||E(x) - Z D||^2 + 2 penalty(Z)

    averaged over sites. The penalty is ``1/2 alpha^2`` for each non-zero, which the
    pursuit that computes the codes obeys, or one on the absolute values (``penalty``)
    with ``shrinkage="soft"``, which is the paper's. With the default backbone the model
    starts as classical sparse coding of patches over a dictionary learned from ``X``,
    and training improves it.

    Parameters
    ----------
    n_components : int, default=512
        Number of atoms K of the dictionary.
    shrinkage : {"support", "soft"}, default="support"
        What decides which atoms are on. "support": each step takes the atom that lowers
        the error most after refitting, as long as it lowers the squared error by more
        than ``alpha ** 2``; an unrolled pursuit, trained through its coefficients.
        "soft": a soft threshold in every step, as in the paper; at equal non-zeros
        several dB worse, and slower.
    alpha : float, default=None
        Weight of the sparsity penalty, positive; larger is sparser. In units of the
        latents: with images, of pixel values in [0, 1]. None is 0.03 for "support",
        0.1 for "soft".
    n_rollout_steps : int, default=None
        Steps of the rollout (s in the paper). With ``shrinkage="support"`` each takes
        an atom at most. None is 16, and for "support" a sixth of the latent dimension
        where that is more.
    dictionary : {"learned", "dct"} or ndarray (n_components, latent_dim), \
default="learned"
        Atoms trained from a dictionary that is learned on the first latents; the fixed
        overcomplete DCT of the paper, which trains faster but uses a tenth of its
        atoms; or fixed atoms, in the coordinates of ``components_``.
    threshold : {"scalar", "atom", "vector", "structured"}, default="scalar"
        What a coefficient has to exceed: one threshold (SC-VAE); one for each atom; one
        for each atom and site, inferred from the latents; or those, refined by
        attention over atoms and over sites (SSC-VAE [3]_, Equations 5 to 11).
    learn_alpha : bool, default=True
        Train the thresholds, which start at ``alpha``; otherwise they stay there. (The
        weight in the loss is never trained: its minimum is zero. Nor is the single
        threshold of "support", which would only learn what ``alpha`` says.)
    penalty : {"log", "l1"}, default="log"
        For soft shrinkage only, as what follows up to ``coupled``. The paper's L1 norm,
        or the reweighted one [2]_, which has the same slope at zero but lets large
        coefficients be: at equal non-zeros it is worth several dB.
    momentum : bool, default=True
        Start the rollout as FISTA and train its extrapolation; otherwise as ISTA.
    coupled : bool, default=True
        Tie the inhibition matrix S to the filters W_e and the dictionary; otherwise S
        is a free matrix, and a step takes about twice as long.
    bottleneck_params : dict, default=None
        What else the bottleneck takes, mostly to reproduce a paper
        (:mod:`sklearn_sparsevae.recipes`). ``threshold_width=256`` gives the networks
        that infer thresholds the width of SSC-VAE's Table 4 (3.83 million parameters
        with 256 latents and 512 atoms), where 16 is default. For soft shrinkage,
        ``step_scalars=False`` makes all steps the same, and ``printed_loss=True``
        weighs the loss as SC-VAE's Equations 3 to 5 are printed.
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
        "alpha": [POSITIVE, None],
        "n_rollout_steps": [POSITIVE_INT, None],
        "dictionary": [StrOptions({"learned", "dct"}), np.ndarray],
        "threshold": [StrOptions(set(THRESHOLDS))],
        "learn_alpha": ["boolean"],
        "penalty": [StrOptions(set(PENALTIES))],
        "momentum": ["boolean"],
        "coupled": ["boolean"],
        "bottleneck_params": [dict, None],
    }

    n_components: int = dataclasses.field(default=512, kw_only=False)
    shrinkage: Literal["support", "soft"] = "support"
    alpha: float | None = None
    n_rollout_steps: int | None = None
    dictionary: Literal["learned", "dct"] | np.ndarray = "learned"
    threshold: Literal["scalar", "atom", "vector", "structured"] = "scalar"
    learn_alpha: bool = True
    penalty: Literal["log", "l1"] = "log"
    momentum: bool = True
    coupled: bool = True
    bottleneck_params: dict[str, Any] | None = None
    n_downsamples: int = 3

    def thresholds(self, X: Images) -> NDArray[np.float32] | Any:
        """Infer what a coefficient has to exceed, for each atom at each site.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `transform`.

        Returns
        -------
        thresholds : ndarray of shape (n, h, w, n_atoms), or list of ndarray
            Float32, in units of the latents, as ``alpha``, where they start. Without
            the atoms that code channel means, which have none. The same everywhere with
            ``threshold="scalar"``, at all sites with "atom". With ``shrinkage="soft"``
            a step of the rollout shrinks by them over a constant. Photos of different
            sizes have an array each, of ``n = 1``, in a list.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_sparsevae import SparseCodingVAE
        >>> images = load_digits().images[:100] / 16
        >>> model = SparseCodingVAE(
        ...     16, n_downsamples=1, threshold="vector", max_epochs=1, random_state=0
        ... ).fit(images)
        >>> model.thresholds(images[:2]).shape
        (2, 4, 4, 15)
        """
        with self._counted(self._open_to_code(X), "thresholds") as photos:
            found = self._coder().thresholds
            return photos.gather(
                np.concatenate(list(found(part))) for part in photos.parts()
            )

    def _make_bottleneck(self, backbone):
        soft = self.shrinkage == "soft"
        kind, own = (LearnedISTA, _SOFT) if soft else (LearnedPursuit, ())
        self._refuse_what_does_nothing(own)
        defaults = inspect.signature(kind).parameters
        defaults = {name: parameter.default for name, parameter in defaults.items()}
        known = {name: defaults[name] for name in _EXTRA if name in defaults}
        owner = f"shrinkage={self.shrinkage!r}"
        extra = check_options("bottleneck_params", self.bottleneck_params, known, owner)
        given = isinstance(self.dictionary, np.ndarray)
        dictionary = self.dictionary if given else None
        if not given and self.dictionary == "dct":
            dictionary = backbone.dct_dictionary(self.n_components)
        # A patch of more numbers has more to say.
        n_steps = 16 if soft else max(16, backbone.latent_dim // 6)
        return kind(
            backbone.latent_dim,
            self.n_components,
            defaults["alpha"] if self.alpha is None else float(self.alpha),
            self.n_rollout_steps or n_steps,
            dictionary=dictionary,
            n_mean_dims=0 if given else backbone.n_mean_dims,
            threshold=self.threshold,
            learn_alpha=self.learn_alpha,
            **{name: getattr(self, name) for name in own},
            **extra,
        )

    def _refuse_what_does_nothing(self, own):
        """Say which parameters a shrinkage does not have."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name in sorted(set(_SOFT) - set(own))
            if getattr(self, name) != defaults[name]
        ]
        if changed:
            raise ValueError(
                f"{' and '.join(changed)} belong to shrinkage='soft', got "
                f"shrinkage={self.shrinkage!r}: leave them at their defaults, or set "
                "shrinkage='soft'."
            )
