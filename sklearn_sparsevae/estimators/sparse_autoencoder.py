"""Sparse autoencoders of activations: one layer, and few of its units on."""

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Literal

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae.bottlenecks import SPARSITIES, SparseActivation
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(terms=("reconstruction", "auxiliary", "prefixes", "sparsity"))
class SparseAutoencoder(BaseSparseAutoencoder):
    """Sparse autoencoder of the activations of a network, or of any vectors.

    For the latents x, less their mean and divided by their deviation, the codes are ::

        z = kept(relu((x - b) W + c))        and come back as        z D + b

    with unit atoms D. What is kept is said by ``sparsity``. Every code is a row of few
    non-zeros, all positive: which atoms, learned without labels, an activation is made
    of. :class:`DictionaryLearningVAE` with ``backbone="identity"`` takes the same data
    and chooses its atoms by matching pursuit, which describes more with as many.

    Parameters
    ----------
    n_components : int, default=1024
        Number of atoms K; for activations several times their length.
    sparsity : {"topk", "batch_topk", "jumprelu", "l1"}, default="batch_topk"
        Keep the ``n_nonzero_coefs`` largest of each row [1]_; as many for each row in
        the mean over a batch, and in `transform` what exceeds a threshold that training
        found to do the same, so that no row depends on others [2]_; what exceeds a
        threshold that is trained for each atom [3]_; or all, with a penalty.
    n_nonzero_coefs : int, default=32
        Non-zeros of a row, for ``"topk"`` and ``"batch_topk"``.
    alpha : float, default=0.5
        For ``"l1"`` the weight of the sum of a row's codes. For ``"jumprelu"`` half its
        square is that of their number, and thresholds start there: what a single code
        has to exceed to be worth it. Data has a deviation of 1 there.
    decoder : {"free", "tied"}, default="free"
        Whether the encoder has filters of its own, or takes the atoms.
    prefixes : sequence of int, default=()
        Numbers of first atoms, below K, that have to describe the data by themselves as
        well: the first atoms become the most general ones (Matryoshka [4]_).
    auxiliary_weight : float, default=0.03125
        Weight of the term in which atoms that have long been off describe what the
        others leave, so that they come back.
    dead_after : int, default=10_000
        Rows after which an atom that was never on counts as dead. Every 100 steps the
        dead become what the others leave of some rows.
    backbone : {"identity", "residual", "light", "vqgan", "dense", "auto"}, \
default="identity"
        "identity" takes activations as they are: vectors, or grids ``(n, h, w,
        channels)`` whose sites are coded one by one. The others code images.
    batch_size : int, default=512
        Rows, or images, of a step.
    lr : float, default=0.003
        Adam's learning rate; thresholds of ``"jumprelu"`` have ten times as much.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim)
        The atoms, of unit norm.
    {attributes}

    See Also
    --------
    DictionaryLearningVAE : The same task by matching pursuit.

    References
    ----------
    .. [1] L. Gao et al. "Scaling and Evaluating Sparse Autoencoders". ICLR 2025.
    .. [2] B. Bussmann, P. Leask, N. Nanda. "BatchTopK Sparse Autoencoders", 2024.
    .. [3] S. Rajamanoharan et al. "Jumping Ahead: Improving Reconstruction Fidelity
       with JumpReLU Sparse Autoencoders", 2024.
    .. [4] B. Bussmann et al. "Learning Multi-Level Features with Matryoshka Sparse
       Autoencoders". ICML 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import SparseAutoencoder
    >>> X = load_digits().data[:300]
    >>> model = SparseAutoencoder(
    ...     128, sparsity="topk", n_nonzero_coefs=6, max_epochs=2, random_state=0
    ... ).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, int(codes.count_nonzero(axis=1).max()), bool(codes.min() >= 0)
    ((300, 128), 6, True)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "sparsity": [StrOptions(set(SPARSITIES))],
        "n_nonzero_coefs": [POSITIVE_INT],
        "alpha": [Interval(numbers.Real, 0, None, closed="neither")],
        "decoder": [StrOptions({"free", "tied"})],
        "prefixes": [tuple, list],
        "auxiliary_weight": [NOT_NEGATIVE],
        "dead_after": [POSITIVE_INT],
    }

    n_components: int = dataclasses.field(default=1024, kw_only=False)
    sparsity: Literal["topk", "batch_topk", "jumprelu", "l1"] = "batch_topk"
    n_nonzero_coefs: int = 32
    alpha: float = 0.5
    decoder: Literal["free", "tied"] = "free"
    prefixes: Sequence[int] = ()
    auxiliary_weight: float = 1 / 32
    dead_after: int = 10_000
    backbone: Literal["auto", "residual", "light", "vqgan", "dense", "identity"] = (
        "identity"
    )
    batch_size: int = 512
    lr: float = 0.003

    def _make_bottleneck(self, backbone):
        return SparseActivation(
            backbone.latent_dim,
            self.n_components,
            sparsity=self.sparsity,
            n_nonzero_coefs=self.n_nonzero_coefs,
            alpha=self.alpha,
            tied=self.decoder == "tied",
            prefixes=self._checked_prefixes(),
            auxiliary_weight=self.auxiliary_weight,
            dead_after=self.dead_after,
        )

    def _checked_prefixes(self):
        """Numbers of first atoms, which rise and are fewer than all."""
        prefixes = tuple(whole_number(n, "prefixes") for n in self.prefixes)
        if prefixes != tuple(sorted(set(prefixes))) or (
            prefixes and prefixes[-1] >= self.n_components
        ):
            raise ValueError(
                f"prefixes={prefixes} must rise and lie below n_components="
                f"{self.n_components}, such as ({self.n_components // 4}, "
                f"{self.n_components // 2})."
            )
        return prefixes
