"""The distance in a network's features: LPIPS' form, for any network."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sklearn_sparsevae.perceptual.distance import PerceptualDistance

seeds = st.integers(0, 2**31)


def two_layers():
    """Two small convolutions, random but fixed, and a dropout between them."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return TwoLayers()


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 2, 1)
        self.second = nn.Conv2d(4, 5, 3, 2, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        first = self.first(images)
        return [first, self.second(self.dropout(first).relu())]


def images_of(seed, channels=3, side=8, n=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=generator)


def distance_by_hand(true, pred, weights):
    """Eq. 1 of Zhang et al., image by image and position by position."""
    values = np.zeros(len(true[0]))
    for layer_true, layer_pred, w in zip(true, pred, weights):
        for n, (x, y) in enumerate(zip(layer_true, layer_pred)):
            places = list(np.ndindex(x.shape[1:]))
            for place in places:
                a, b = (z[(slice(None), *place)] for z in (x, y))
                difference = a / np.linalg.norm(a) - b / np.linalg.norm(b)
                values[n] += np.sum(w * difference**2) / len(places)
    return values


@given(seeds)
def test_distance_is_the_formula_for_each_image(seed):
    network = two_layers().eval()
    network.channel_weights = [torch.arange(4.0), torch.arange(5.0)]
    a, b = images_of(seed, n=3), images_of(seed + 1, n=3)
    with torch.no_grad():
        maps = [[x.double().numpy() for x in network(images)] for images in (a, b)]
    expected = distance_by_hand(*maps, [np.arange(4), np.arange(5)])
    values = PerceptualDistance(network)(a, b)
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-4)


@given(seeds)
def test_distance_is_zero_for_equal_images_and_symmetric(seed):
    distance = PerceptualDistance(two_layers())
    a, b = images_of(seed), images_of(seed + 1)
    assert not distance(a, a).any()
    assert distance(a, b).min() > 0
    torch.testing.assert_close(distance(a, b), distance(b, a))


@given(seeds, st.floats(0.5, 100))
def test_distance_ignores_the_length_of_features(seed, factor):
    """So doubling what one layer says changes nothing."""
    a, b = images_of(seed), images_of(seed + 1)
    plain = PerceptualDistance(lambda x: [x + 0.1])(a, b)
    scaled = PerceptualDistance(lambda x: [factor * (x + 0.1)])(a, b)
    torch.testing.assert_close(plain, scaled, rtol=1e-4, atol=1e-6)


def test_grey_images_are_shown_as_three_equal_channels():
    distance = PerceptualDistance(two_layers())
    a, b = images_of(0, channels=1), images_of(1, channels=1)
    color = distance(a.tile(1, 3, 1, 1), b.tile(1, 3, 1, 1))
    torch.testing.assert_close(distance(a, b), color)


def test_network_is_copied_frozen_and_stays_in_evaluation_mode():
    network = two_layers().train()
    distance = PerceptualDistance(network).train()
    assert not any(p.requires_grad for p in distance.parameters())
    assert all(p.requires_grad for p in network.parameters()) and network.training
    a, b = images_of(0), images_of(1)
    torch.testing.assert_close(distance(a, b), distance(a, b))  # no dropout


def test_arrays_give_what_tensors_give():
    distance = PerceptualDistance(two_layers())
    a, b = images_of(0), images_of(1)
    arrays = [x.permute(0, 2, 3, 1).contiguous().numpy() for x in (a, b)]
    np.testing.assert_allclose(
        distance.on_arrays(*arrays), distance(a, b).numpy(), rtol=1e-5
    )


def test_a_bare_tensor_of_features_is_refused():
    a = images_of(0)
    with pytest.raises(
        TypeError, match=r"tensor of shape \(2, 3, 8, 8\).*\[features\]"
    ):
        PerceptualDistance(lambda x: x)(a, a)


def test_features_of_nothing_leave_finite_gradients():
    output = torch.zeros(1, 3, 4, 4, requires_grad=True)
    target = images_of(0, side=4, n=1)
    PerceptualDistance(lambda x: [x])(output, target).sum().backward()
    assert output.grad.isfinite().all()
