"""The feature network of FID: Inception-v3 as its first authors had it."""

import functools

import torch
from torch import nn

from sklearn_sparsevae.perceptual.fixed import FixedNetwork, own_or_loaded
from sklearn_sparsevae.perceptual.weights import contents, read_weights, weights_file


class FeatureVectors(FixedNetwork):
    """One vector of features for each image.

    Parameters
    ----------
    network : callable, str or None
        Turns images ``(n, 3, H, W)`` in [0, 1] into features ``(n, n_features)``. A
        path or None is Inception-v3, see :func:`load_inception`.
    """

    def __init__(self, network):
        super().__init__(own_or_loaded(network, load_inception))

    def forward(self, images):
        """Features ``(n, n_features)`` of images ``(n, 3, H, W)`` in [0, 1]."""
        features = self.network(images)
        if not isinstance(features, torch.Tensor) or features.ndim != 2:
            came = getattr(features, "shape", type(features).__name__)
            raise TypeError(
                f"The feature network returned {came} for {len(images)} images; "
                "expected a tensor with one row of features per image."
            )
        return features


class InceptionNetwork(nn.Module):
    """Features ``(n, 2048)`` after the last pooling of Inception-v3.

    Parameters
    ----------
    network : module
        torch-fidelity's, which resizes to 299 by 299 pixels as TensorFlow 1 did.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        """Features of images ``(n, 3, H, W)`` in [0, 1], rounded to 8 bits."""
        return self.network((255 * images).round().to(torch.uint8))[0]


@functools.cache
def load_inception(path=None):
    """Load torch-fidelity's Inception-v3.

    Parameters
    ----------
    path : str or None
        File with its weights (``weights-inception-2015-12-05-6726825d.pth``); None
        downloads it once, into torch's cache.

    Raises
    ------
    ImportError
        Without torch-fidelity.
    FileNotFoundError, ValueError
        When there is no such file, or other weights are in it.
    OSError
        When it cannot be downloaded.
    """
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as source
    except ImportError as error:
        raise ImportError(
            "FID needs torch-fidelity, which holds its network: run `pip install "
            "sklearn-sparsevae[metrics]`, or give a feature network of your own."
        ) from error
    file = weights_file(path, source.URL_INCEPTION_V3)
    state = read_weights(file)
    try:
        network = source.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(file)
        )
    except RuntimeError as error:
        raise ValueError(
            f"{file} holds {contents(state)}; expected torch-fidelity's weights of "
            f"Inception-v3, which are at {source.URL_INCEPTION_V3}."
        ) from error
    return InceptionNetwork(network)
