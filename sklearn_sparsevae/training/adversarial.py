"""A discriminator that is trained with a net and sharpens its images (LASERS, 3.4)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae import _ranks
from sklearn_sparsevae.training.callbacks import clip_gradients, not_finite
from sklearn_sparsevae.training.ranks import sum_gradients

_WIDTH = 64  # channels after the first convolution; they double from layer to layer
_MOST_HALVINGS = 3
_SMALLEST_MAP = 4  # smallest side that the halvings leave, in pixels
_DELTA = 1e-6  # the delta of Eq. 16
_MAX_ADAPTIVE_WEIGHT = 1e4


class PatchDiscriminator(nn.Sequential):
    """PatchGAN: a score for each patch, high where it looks like the data.

    Convolutions of 4x4, batch normalisation (by the batch at hand, always) and leaky
    ReLUs, as in Isola et al. (2017). Images of at least 32 pixels are halved three
    times (64, 128, 256, 512, 1 channels); smaller ones as long as that leaves 4 pixels,
    once at least.

    Parameters
    ----------
    n_channels : int
        Image channels.
    side : int
        Shorter side of the images, 8 pixels or more.
    """

    def __init__(self, n_channels, side):
        n_halvings = max(1, min(_MOST_HALVINGS, int(math.log2(side / _SMALLEST_MAP))))
        widths = [_WIDTH * 2**i for i in range(n_halvings + 1)]
        layers = [nn.Conv2d(n_channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, width in enumerate(widths[1:], start=1):
            stride = 2 if i < n_halvings else 1
            layers += [
                nn.Conv2d(widths[i - 1], width, 4, stride, 1, bias=False),
                _BatchNorm(width, track_running_stats=False),
                nn.LeakyReLU(0.2),
            ]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.smallest = _SMALLEST_MAP * 2**n_halvings
        self.apply(_initialize)
        self._check(side)

    def forward(self, images):
        """Scores ``(n, 1, h, w)`` of images ``(n, C, H, W)``."""
        self._check(min(images.shape[-2:]))
        return super().forward(images)

    def _check(self, side):
        if side < self.smallest:
            raise ValueError(
                f"This discriminator needs images of at least {self.smallest} pixels "
                f"per side, got {side}: give larger images or crops, or set "
                "adversarial_weight=0."
            )


class _BatchNorm(nn.BatchNorm2d):
    """By mean and variance of the batch, of all ranks together."""

    def forward(self, maps):
        if _ranks.n_ranks() == 1:
            return super().forward(maps)
        axes, share = (0, 2, 3), _ranks.share()
        mean = _ranks.shared_sum(share * maps.mean(axes))
        centred = maps - mean[:, None, None]
        variance = _ranks.shared_sum(share * centred.square().mean(axes))
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


class Adversary:
    """A discriminator with its optimizer, and its term in the loss of a net.

    Parameters
    ----------
    n_channels, side : int
        See `PatchDiscriminator`.
    device : torch.device

    Attributes
    ----------
    weight : float
        Weight of the adversarial term relative to the loss of the images.
    start : int
        Epochs before it takes part.
    max_norm : float
        Maximum norm of the discriminator's gradient.
    """

    weight: float
    start: int
    max_norm: float

    def __init__(self, n_channels, side, device):
        self.discriminator = PatchDiscriminator(n_channels, side).to(device)
        parameters = self.discriminator.parameters()
        self.optimizer = torch.optim.Adam(parameters, betas=(0.5, 0.9))

    def state_dict(self):
        """Return all that training moves."""
        parts = {"discriminator": self.discriminator, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state):
        """Go back to what `state_dict` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def term(self, fakes, image_loss, last_layer):
        """Adversarial term of the net's loss, and the adaptive weight in it.

        Parameters
        ----------
        fakes : (n, C, H, W) tensor
            Reconstructions.
        image_loss : scalar tensor
            What Eq. 16 balances the term with.
        last_layer : Parameter
            Of the decoder.
        """
        loss = self.generator_loss(fakes)
        adaptive = adaptive_weight(image_loss, loss, last_layer)
        return self.weight * adaptive * loss, adaptive  # [LASERS Eq. 15]

    def generator_loss(self, fakes):
        """Low where reconstructions pass for data; the discriminator is held fixed."""
        self.discriminator.requires_grad_(False)
        return -self.discriminator(fakes).mean()

    def step(self, net, reals, fakes):
        """Train the discriminator, at the net's learning rate; return its loss.

        No gradient reaches the network that made the fakes.
        """
        self.discriminator.requires_grad_(True)
        self.optimizer.zero_grad()
        loss = hinge_loss(self.discriminator(reals), self.discriminator(fakes.detach()))
        (_ranks.share() * loss).backward()
        parameters = list(self.discriminator.parameters())
        loss = sum_gradients(parameters, loss)
        if not loss.isfinite():  # its gradient may be finite all the same
            raise not_finite("loss of the discriminator", loss.item(), net)
        clip_gradients(parameters, self.max_norm, "gradient of the discriminator", net)
        for group in self.optimizer.param_groups:
            group["lr"] = net.optimizer_.param_groups[0]["lr"]
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def hinge_loss(real_scores, fake_scores):
    """Loss of the discriminator: the hinge form of LASERS' Eq. 14 (Lim and Ye, 2017).

    Zero where data score 1 or more and reconstructions -1 or less.
    """
    real, fake = F.relu(1 - real_scores).mean(), F.relu(1 + fake_scores).mean()
    return 0.5 * (real + fake)  # [LASERS Eq. 14]


@torch.no_grad()
def _initialize(module):
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


def adaptive_weight(image_loss, adversarial_loss, last_layer):
    """Weight that balances the gradients of both losses at the last layer (Eq. 16).

    The paper writes gradients where it means their norms. At most 10 000, as in Esser
    et al. (2021), and itself without gradient.
    """
    share = _ranks.share()
    gradients = (
        torch.autograd.grad(share * loss, last_layer, retain_graph=True)[0]
        for loss in (image_loss, adversarial_loss)
    )
    ours, theirs = (gradient.norm() for gradient in _ranks.total(*gradients))
    return (ours / (theirs + _DELTA)).clamp(max=_MAX_ADAPTIVE_WEIGHT)  # [LASERS Eq. 16]
