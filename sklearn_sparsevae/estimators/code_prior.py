"""A density of sparse codes, to draw new codes from and images with them.

Longer than other modules: one class, half of which says what its codes become.
"""

import functools
import numbers
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, DensityMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_sparsevae._arguments import as_table, random_numbers, whole_number
from sklearn_sparsevae._doc_links import DocumentationLinks
from sklearn_sparsevae._typing import Codes, Grid, RandomState, Unused
from sklearn_sparsevae.codes import SparseCodes, as_codes
from sklearn_sparsevae.estimators import _compressing
from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._keeping import KeepsNet
from sklearn_sparsevae.estimators._parameters import POSITIVE_INT
from sklearn_sparsevae.estimators._stopping import warn_and_raise
from sklearn_sparsevae.estimators._tokens import Tokenizer
from sklearn_sparsevae.training import (
    CodeTransformer,
    PriorNet,
    RunSettings,
    draw_tokens,
    fitted_together,
    from_first,
    log_likelihood,
    open_checkpoints,
    train_prior,
)


@shares_parameters()
class CodePrior(
    groups.Training,
    groups.EarlyStopping,
    groups.Running,
    KeepsNet,
    DocumentationLinks,
    DensityMixin,
    BaseEstimator,
):
    r"""Autoregressive prior of sparse codes, which draws new ones.

    The second stage of VQ-VAE, RQ-VAE [1]_ and LASERS [2]_, for the codes of any
    bottleneck. Codes become tokens: at each site its atoms in ascending order, each
    with its coefficient rounded to one of ``n_bins`` levels, and an end. A network
    gives the probability of each token after all before it, sites in reading order,

    .. math:: \log p(z) = \sum_t \log p(z_t \,|\, z_1, \ldots, z_{t-1}),

    and is trained to make that of the codes large. Tokens that cannot come have
    probability zero, so that what is drawn is a valid code and the probabilities of
    all codes add up to one. With the estimator that the codes came from::

        codes = encoder.transform(images)
        new_images = encoder.inverse_transform(CodePrior().fit(codes).sample(16))

    Codes that count atoms, as those of :class:`~sklearn_sparsevae.VQVAE`, have a token
    for each level of quantisation and no others.

    A transformer looks at the sites before, once for each site; memory and time are
    quadratic in the sites only there, and linear in the non-zeros of a site. On one
    CPU core an epoch takes seconds with 4x4 sites and 1000 images; for grids of 32x32
    a GPU is needed.

    Parameters
    ----------
    n_bins : int, default=64
        Most levels of a coefficient: where the codes have no more distinct values,
        these; otherwise levels that leave a small squared error.
    width : int, default=128
        Length of the vectors that stand for sites and tokens in the network.
    n_layers : int, default=3
        Transformer blocks.
    n_heads : int, default=4
        Attention heads, a divisor of ``width``.
    dropout : float, default=0.2
        Part of the activations that training leaves out, in [0, 1).
    grid_shape : tuple of int (h, w), default=None
        Grid of codes that come as a plain matrix. Without it, an array is codes of one
        site each, its columns the atoms, and a sparse matrix is refused: it may be what
        arithmetic left of codes with a grid.
    max_epochs : int, default=20
        Passes over the training codes.
    lr : float, default=0.001
        AdamW's learning rate; it falls to zero over the epochs, along a cosine.
    {parameters}

    Attributes
    ----------
    tokenizer_ : Tokenizer
        Codes to tokens and back; ``tokenizer_.levels`` are those of the coefficients.
    history_ : dict of ndarray of shape (n_epochs,)
        ``epoch``, counted from 1, ``dur`` in seconds, ``train_loss`` and, with early
        stopping, ``valid_loss``: mean negative log-likelihood of a site in nats.
    n_epochs_ : int
        Epochs trained.
    net_ : PriorNet
        The skorch net; ``net_.module_`` is the torch module.
    n_features_in_ : int
        Columns of the codes.

    References
    ----------
    .. [1] D. Lee, C. Kim, S. Kim, M. Cho, W.-S. Han. "Autoregressive Image Generation
       using Residual Quantization". CVPR 2022.
    .. [2] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for Representations with
       Sparsity for Generative Modeling", 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import VQVAE, CodePrior
    >>> images = load_digits().images[:200] / 16
    >>> model = VQVAE(32, max_epochs=2, random_state=0).fit(images)
    >>> prior = CodePrior(width=32, max_epochs=2, random_state=0)
    >>> codes = prior.fit(model.transform(images)).sample(5, random_state=0)
    >>> codes.shape, codes.grid_shape, codes.nnz
    ((5, 128), (2, 2), 20)
    >>> model.inverse_transform(codes).shape
    (5, 8, 8)
    """

    _parameter_constraints = {
        "n_bins": [POSITIVE_INT],
        "width": [POSITIVE_INT],
        "n_layers": [POSITIVE_INT],
        "n_heads": [POSITIVE_INT],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left")],
        "grid_shape": [tuple, list, None],
    }

    n_bins: int = 64
    width: int = 128
    n_layers: int = 3
    n_heads: int = 4
    dropout: float = 0.2
    grid_shape: Grid | None = None
    max_epochs: int = 20
    early_stopping: bool = True

    _loss_name = "loss (nats per site)"
    _net_class = PriorNet

    @_fit_context(prefer_skip_nested_validation=True)
    @fitted_together
    def fit(self, X: Codes, y: Unused = None) -> Self:
        """Learn which codes are likely.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like, 2-D
            Codes, one row per image, as an estimator's ``transform`` returns them.
        y : None
            Not used.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If ``X`` is not 2-D and finite with at least one row, two to stop early, or
            ``n_heads`` does not divide ``width``.
        FloatingPointError
            When the loss stops being finite.
        """
        codes = self._as_codes(X)
        if self.early_stopping and codes.shape[0] < 2:
            raise ValueError(
                "Got X with codes of 1 image (n_samples = 1); expected at least two to "
                "hold some out for early stopping. Set early_stopping=False."
            )
        if self.width % self.n_heads:
            raise ValueError(
                f"Got width={self.width} and n_heads={self.n_heads}; expected heads "
                "that share the width evenly. Take a multiple of n_heads as width."
            )
        seed = from_first(random_numbers(self.random_state).randint(2**31 - 1))
        tokenizer = Tokenizer.learn(codes, self.n_bins)
        tokens = tokenizer.encode(codes)
        data = {"tokens": tokens, "levels": tokenizer.levels}
        with open_checkpoints(self, data, seed) as kept:
            net = self._train(tokens, tokenizer.space, kept)
        stopped_by = net.stopped_by
        net.forget_training()
        self.net_, self.tokenizer_ = net, tokenizer
        self._net_params_ = self._net_parameters()
        self.history_ = net.epochs
        self.n_epochs_ = len(net.history)
        self.n_features_in_ = codes.shape[1]
        warn_and_raise(self, stopped_by)
        return self

    def _train(self, tokens, space, kept):
        """Train a net on tokens, all or those that are not held out."""
        seed, valid = kept.seed, None
        if self.early_stopping:
            tokens, valid = train_test_split(
                tokens, test_size=self.validation_fraction, random_state=seed
            )
        build = functools.partial(self._make_module, space)
        settings = RunSettings.of(self, checkpoints=kept)
        return train_prior(build, tokens, valid, settings, seed)

    def score_samples(self, X: Codes) -> NDArray[np.floating]:
        """Log-likelihood of the codes of each image.

        Codes count as what tokens can say of them: coefficients are rounded to the
        levels, and of the non-zeros of a site the largest are taken, as many as the
        codes of the fit had at most.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like, 2-D
            Codes, on the grid of those of the fit.

        Returns
        -------
        values : ndarray of shape (n_images,)
            In nats; probabilities, not densities, so that none is above zero. Divide
            by ``-log(2) * n_tokens(X)`` for bits a token.
        """
        module = self._module()
        tokens = self._tokens_of(X)
        return log_likelihood(module, tokens, self.device, self.verbose)

    def score(self, X: Codes, y: Unused = None) -> float:
        """Mean log-likelihood of the codes of an image.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like, 2-D
            As in `score_samples`.
        y : None
            Not used.

        Returns
        -------
        value : float
            In nats; higher is better.
        """
        return float(np.mean(self.score_samples(X)))

    def n_tokens(self, X: Codes) -> NDArray[np.integer]:
        """Tokens of the codes of each image.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like, 2-D
            As in `score_samples`.

        Returns
        -------
        numbers : ndarray of int of shape (n_images,)
            Atoms, levels unless there is only one, and an end of every site that has
            fewer non-zeros than the fullest.
        """
        check_is_fitted(self)
        return self.tokenizer_.n_tokens(self._tokens_of(X))

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None
    ) -> SparseCodes:
        """Draw codes.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws other codes each time.

        Returns
        -------
        codes : SparseCodes of shape (n_samples, h * w * n_atoms)
            Like those of the fit: their ``grid_shape``, ``n_atoms``, ``n_mean_atoms``
            and ``image_shape``, no more non-zeros at a site than they had at most, and
            the levels as coefficients.
        """
        module = self._module()
        n_samples = whole_number(n_samples, "n_samples")
        seed = random_numbers(random_state).randint(2**31 - 1)
        tokens = draw_tokens(module, n_samples, self.device, seed, self.verbose)
        return self.tokenizer_.decode(tokens)

    def compress(self, X: Codes) -> bytes:
        r"""Write codes in as few bits as the prior knows how to.

        A range coder gives each token nearly as many bits as the prior predicts,
        :math:`-\log_2 p`, so that the size is ``-score_samples(X).sum() / log(2)``
        bits, less than 32 bytes more, and a few in ten thousand. Codes are rounded as
        in `score_samples`; `decompress` returns them exactly so.

        All images are written together, since a single one is hardly larger than what
        stands around it. It takes as long as `sample`; the package `constriction` is
        needed, ``pip install sklearn-sparsevae[compression]``.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like, 2-D
            Codes, on the grid of those of the fit.

        Returns
        -------
        data : bytes
            A header of 21 bytes (number of images, checksums of the prior, of the
            tokens and of these bytes), and the code.

        Raises
        ------
        ValueError
            If these are codes of images of another shape than in the fit.
        ImportError
            If `constriction` is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_sparsevae import CodePrior
        >>> from sklearn_sparsevae.codes import as_codes
        >>> codes = as_codes(np.eye(8)[[0, 5]], grid_shape=(2, 2))
        >>> prior = CodePrior(width=8, n_layers=1, max_epochs=0).fit(codes)
        >>> data = prior.compress(codes)
        >>> type(data).__name__, (prior.decompress(data) != codes).nnz
        ('bytes', 0)
        """
        tokens = self._tokens_of(X)
        found, expected = getattr(X, "image_shape", None), self.tokenizer_.image_shape
        if found and expected and tuple(found) != tuple(expected):
            raise ValueError(
                f"Got X of images of shape {found}; expected {expected}, as in the "
                "fit: what is written does not say it. Fit a prior to codes of such "
                "images, or set X.image_shape = None."
            )
        return _compressing.write_tokens(self, tokens)

    def decompress(self, data: bytes) -> SparseCodes:
        """Read what `compress` has written.

        It takes the same weights, and the same arithmetic: probabilities are computed
        in float64 and rounded, so that another number of threads, another processor or
        a GPU rarely matters. Where it does, the checksum tells.

        Parameters
        ----------
        data : bytes
            As `compress` of this prior returned it, or of the one that was saved and
            loaded again.

        Returns
        -------
        codes : SparseCodes of shape (n_images, h * w * n_atoms)
            Those that were compressed, but for rounding; like those of `sample`.

        Raises
        ------
        ValueError
            If these are no compressed codes, they are damaged, another prior wrote
            them, or arithmetic differs from where they were written.
        TypeError
            If ``data`` is not of bytes.
        ImportError
            If `constriction` is not installed.
        """
        check_is_fitted(self)
        return self.tokenizer_.decode(_compressing.read_tokens(self, data))

    def _make_module(self, space):
        return CodeTransformer(
            space, self.width, self.n_layers, self.n_heads, self.dropout
        )

    def _fresh_module(self):
        return self._as_built()._make_module(self.tokenizer_.space)

    def _module(self):
        check_is_fitted(self)
        return self.net_.module_

    def _tokens_of(self, X):
        return self.tokenizer_.encode(self._as_codes(X, self.tokenizer_.space))

    def _as_codes(self, X, space=None):
        """Codes with at least one row, in the space of the fit if there is one."""
        grid_shape = n_atoms = None
        if space is not None:
            grid_shape, n_atoms = space.grid_shape, space.n_atoms
        if not hasattr(X, "grid_shape"):
            later = functools.partial(validate_data, self, reset=False)
            check = check_array if space is None else later
            X = as_table(X, "X", check, accept_sparse="csr", dtype=np.float32)
            grid_shape = grid_shape or self.grid_shape
            if grid_shape is None and sparse.issparse(X):
                raise ValueError(
                    f"Got X as a sparse matrix of shape {X.shape}, which does not say "
                    "what grid its columns are of; expected SparseCodes as transform "
                    "returns them. Join them with concatenate_codes, or set "
                    "grid_shape=(h, w)."
                )
            grid_shape = grid_shape or (1, 1)
        codes = as_codes(X, grid_shape, n_atoms)
        if codes.shape[0] == 0:
            raise ValueError("Got codes of no image; expected at least one row.")
        return codes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.grid_shape is not None
        return tags
