"""Coding rate: the volume that features span, and how much of it separates groups.

References
----------
.. [1] Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma. "Learning Diverse and
   Discriminative Representations via the Principle of Maximal Coding Rate Reduction".
   NeurIPS 2020.
.. [2] X. Dai et al. "CTRL: Closed-Loop Transcription to an LDR via Minimaxing Rate
   Reduction". Entropy 24(4), 2022.
"""

import torch

from sklearn_sparsevae.sparse._arrays import (
    Array,
    accepts_arrays,
    check_number,
    check_same_device,
    check_tensor,
    refuse_nonfinite,
)


@accepts_arrays
def coding_rate(
    features: Array, eps2: float = 0.5, *, check_finite: bool = True
) -> Array:
    """Nats to code a feature, up to a squared error of ``eps2``.

    With the n features as rows of Z and their length d (Yu et al. [1]_)::

        R(Z) = 1/2 logdet(I + d / (n eps2) Z^T Z)

    Parameters
    ----------
    features : (n, d) tensor or ndarray
        Any scale; in closed-loop transcription rows of unit norm.
    eps2 : float, default=0.5
        Squared distortion, positive.
    check_finite : bool, default=True
        Refuse numbers that are not finite. Without the check the rate is NaN then.

    Returns
    -------
    rate : scalar tensor or ndarray
        Non-negative; zero without features. The logarithm of the determinant is taken
        in float64, by a Cholesky factor of the smaller of the two Gram matrices.

    Raises
    ------
    TypeError
        When ``features`` are no array of a floating dtype.
    ValueError
        When ``features`` are no matrix or not finite, or ``eps2`` is not positive.

    References
    ----------
    .. [1] Y. Yu et al. "Learning Diverse and Discriminative Representations via the
       Principle of Maximal Coding Rate Reduction". NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import coding_rate
    >>> float(coding_rate(np.eye(2)).round(4))  # log(1 + 2 / (2 * 0.5))
    1.0986
    """
    _check_features("features", features, check_finite)
    check_number("eps2", eps2, positive=True)
    n, d = features.shape
    if n == 0:
        return features.new_zeros(())
    rows = features.double()
    gram = rows @ rows.mT if n < d else rows.mT @ rows
    gram = torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram * (
        d / (n * eps2)
    )
    factor, failed = torch.linalg.cholesky_ex(gram)  # fails where not finite
    half_logdet = factor.diagonal().log().sum()  # [Yu 2020 Section 2]
    return half_logdet.masked_fill(failed > 0, torch.nan).to(features.dtype)


@accepts_arrays
def rate_reduction(
    features: Array, labels: Array, eps2: float = 0.5, *, check_finite: bool = True
) -> Array:
    """Coding rate that is saved by coding every class by itself.

    Of n features n_j belong to class j; their rows are Z_j (Yu et al. [1]_)::

        Delta R(Z) = R(Z) - sum_j n_j / n R(Z_j)

    Parameters
    ----------
    features : (n, d) tensor or ndarray
    labels : (n,) tensor or ndarray
        Class of each row. A class without rows contributes nothing.
    eps2, check_finite
        See :func:`coding_rate`.

    Returns
    -------
    reduction : scalar tensor or ndarray
        Zero or more: the larger, the more the classes fill different subspaces.

    Raises
    ------
    TypeError, ValueError
        As :func:`coding_rate`, and when there is not one label for each row.

    References
    ----------
    .. [1] Y. Yu et al. "Learning Diverse and Discriminative Representations via the
       Principle of Maximal Coding Rate Reduction". NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import rate_reduction
    >>> float(rate_reduction(np.eye(2), np.array([0, 1])).round(4))
    0.2939
    >>> float(rate_reduction(np.eye(2), np.array([0, 0])))
    0.0
    """
    _check_features("features", features, check_finite)
    _check_labels(labels, features, check_finite)
    classes = [features[labels == label] for label in labels.unique()]
    apart = sum(
        len(rows) / len(features) * coding_rate(rows, eps2, check_finite=False)
        for rows in classes
    )
    together = coding_rate(features, eps2, check_finite=False)
    return together - apart  # [Yu 2020 Section 2]


@accepts_arrays
def rate_distance(
    features: Array, others: Array, eps2: float = 0.5, *, check_finite: bool = True
) -> Array:
    """Rate reduction of two sets: how different the subspaces are that they span.

    Dai et al. [1]_, for two sets of equal size::

        Delta R(Z, Z^) = R([Z, Z^]) - 1/2 R(Z) - 1/2 R(Z^)

    Sets of different size count in proportion.

    Parameters
    ----------
    features, others : (n, d) and (m, d) tensor or ndarray
    eps2, check_finite
        See :func:`coding_rate`.

    Returns
    -------
    distance : scalar tensor or ndarray
        Zero or more; zero when the sets have the same second moments. With fewer rows
        than columns that takes more: both must span the same subspace.

    Raises
    ------
    TypeError, ValueError
        As :func:`coding_rate`, and when the columns are not as many.

    References
    ----------
    .. [1] X. Dai et al. "CTRL: Closed-Loop Transcription to an LDR via Minimaxing Rate
       Reduction". Entropy 24(4), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.sparse import rate_distance
    >>> float(rate_distance(np.eye(2), np.eye(2)[::-1].copy()))
    0.0
    """
    _check_features("features", features, check_finite)
    _check_features("others", others, check_finite)
    if features.shape[1] != others.shape[1]:
        raise ValueError(
            f"features have {features.shape[1]} columns, but others have "
            f"{others.shape[1]}: compare features of one length."
        )
    check_same_device("features", features, "others", others)
    both = torch.cat([features, others.to(features.dtype)])
    first = torch.arange(len(both), device=both.device) < len(features)
    return rate_reduction(both, first, eps2, check_finite=False)  # [Dai 2022 Section 2]


@accepts_arrays
def transcription_terms(
    features: Array, regenerated: Array, labels: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """Terms of the closed-loop objective, which encoders raise and decoders lower.

    Without labels one, ``Delta R(Z, Z^)``; with them the three of Dai et al. [1]_,
    which for a single class is the same::

        Delta R(Z) + Delta R(Z^) + sum_j Delta R(Z_j, Z^_j)

    Parameters
    ----------
    features : (n, d) tensor
        Z, of images.
    regenerated : (n, d) tensor
        Z^, of the images regenerated from them.
    labels : (n,) tensor, default=None
        Class of each row.

    Returns
    -------
    terms : dict of scalar tensors
        ``"delta_r"``, the distance of both (summed over classes); with labels also
        ``"delta_r_features"`` and ``"delta_r_regenerated"``.

    References
    ----------
    .. [1] X. Dai et al. "CTRL: Closed-Loop Transcription to an LDR via Minimaxing Rate
       Reduction". Entropy 24(4), 2022.
    """
    _check_features("features", features, check_finite=False)
    _check_features("regenerated", regenerated, check_finite=False)
    if labels is None:
        return {"delta_r": rate_distance(features, regenerated, check_finite=False)}
    _check_labels(labels, features, check_finite=False)
    _check_labels(labels, regenerated, check_finite=False)
    members = [labels == label for label in labels.unique()]
    return {  # [Dai 2022 Section 2]
        "delta_r": sum(
            rate_distance(features[m], regenerated[m], check_finite=False)
            for m in members
        ),
        "delta_r_features": rate_reduction(features, labels, check_finite=False),
        "delta_r_regenerated": rate_reduction(regenerated, labels, check_finite=False),
    }


def _check_features(name, features, check_finite):
    check_tensor(name, features, ("n", "d"))
    if features.shape[1] == 0:
        raise ValueError(
            f"{name} must have at least one column, got shape {tuple(features.shape)}."
        )
    if check_finite:
        refuse_nonfinite(name, features)


def _check_labels(labels, features, check_finite):
    floating = isinstance(labels, torch.Tensor) and labels.is_floating_point()
    check_tensor("labels", labels, ("n",), floating=floating)
    if floating and check_finite:
        refuse_nonfinite("labels", labels)
    if len(labels) != len(features):
        raise ValueError(
            f"labels are {len(labels)}, but there are {len(features)} features: give "
            "one for each row."
        )
    check_same_device("features", features, "labels", labels)
