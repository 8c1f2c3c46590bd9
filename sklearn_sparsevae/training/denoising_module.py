"""A denoiser as one module: encoder, what is in the middle, decoder, subtraction."""

import torch
from torch import nn

from sklearn_sparsevae.backbones import CoarserScale, DenoisingBackbone
from sklearn_sparsevae.bottlenecks import LearnedISTA, LearnedPursuit
from sklearn_sparsevae.training.autoencoder import pad_to_sites
from sklearn_sparsevae.training.devices import autocast

# Side, in sites of the backbone, of the cells in which a middle sees its input.
_COARSE, _FINE = 2, 1
# Numbers of the sparse middles, in units of the deviation that their thresholds follow.
_N_ATOMS_PER_CHANNEL = 4
_N_STEPS = {"lista": 3, "pursuit": 8}


class NoiseScaled(nn.Module):
    """Sparse codes of features, with thresholds that are affine in sigma.

    Codes shrink or select alike whatever the unit of what is coded, so that a
    bottleneck whose thresholds are constant has thresholds ``a + b sigma`` (as those of
    CDLNet, Janjusevic et al. 2022) when features are coded in that unit.

    Parameters
    ----------
    bottleneck : Bottleneck
        Its `forward` has to be differentiable.
    """

    def __init__(self, bottleneck):
        super().__init__()
        self.bottleneck = bottleneck
        self.log_offset = nn.Parameter(torch.tensor(-4.0))
        self.log_slope = nn.Parameter(torch.tensor(0.0))

    def forward(self, features: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Features of codes, for deviations ``(batch, C)`` of the noise."""
        strength = sigma.mean(1)[:, None, None, None]
        unit = self.log_offset.exp() + self.log_slope.exp() * strength
        return self.bottleneck(features / unit)["latents"] * unit


class DenoisingModule(nn.Module):
    """Takes noise of known strength away from unit images, channels first inside.

    Parameters
    ----------
    n_channels : int
    width : int
        Channels of the features.
    bottleneck : {"lista", "pursuit"} or None
        Sparse codes that all features pass through, or none.
    precision : {"float32", "bf16"}
        Of the convolutions while training.
    """

    def __init__(self, n_channels, width, bottleneck, precision):
        super().__init__()
        self.precision = precision
        is_free = bottleneck is None
        self.backbone = DenoisingBackbone(n_channels, width, 1 if is_free else 2)
        if is_free:
            self.middle, cell = CoarserScale(width, width + width // 2), _COARSE
        else:
            self.middle, cell = NoiseScaled(_sparse(bottleneck, width)), _FINE
        self.site_size = cell * self.backbone.side
        # Deviations of errors per predicted one, see `train_denoiser`.
        self.register_buffer("deviation_scale", torch.ones(()))

    @property
    def reach(self):
        """Pixels, whole sites, beyond which nothing changes what a pixel becomes."""
        n_fine = 1 + 2 * (len(self.backbone.before) + len(self.backbone.after))
        reach = n_fine * self.backbone.side
        if isinstance(self.middle, CoarserScale):
            reach += (2 * len(self.middle.body) + 1) * self.site_size
        return -(-reach // self.site_size) * self.site_size

    def forward(self, images: torch.Tensor, sigma: torch.Tensor) -> dict:
        """Restore ``images`` ``(n, C, H, W)`` with noise of deviation ``(n, C)``.

        Returns ``images``, not clipped, and ``log_variance`` of their errors.
        """
        height, width = images.shape[-2:]
        images = pad_to_sites(images, self.site_size)
        # Restored in full precision, so that tiles do not show in the last bits.
        precision = self.precision if self.training else "float32"
        with autocast(images.device, precision):
            features = self.backbone.encode(images, sigma)
            if isinstance(self.middle, NoiseScaled):
                with torch.autocast(images.device.type, enabled=False):
                    features = self.middle(features.float(), sigma)
            else:
                features = self.middle(features)
            noise, log_variance = self.backbone.decode(features)
        results = {
            "images": images - noise.float(),
            "log_variance": log_variance.float(),
        }
        return {name: r[..., :height, :width] for name, r in results.items()}

    def parameter_groups(self, lr: float) -> list[dict]:
        """Optimizer groups: square convolutions take orthogonal steps."""
        # Those of a bottleneck too, at ``lr``: the higher rates that they have in an
        # autoencoder are for losses of their own, which take no part here.
        weights = [p for p in self.parameters() if p.requires_grad]
        square = [p for p in weights if p.ndim == 4 and p.shape[0] == p.shape[1] > 1]
        ids = {id(p) for p in square}
        rest = [p for p in weights if id(p) not in ids]
        groups = [
            {"params": square, "lr": lr, "orthogonal": True},
            {"params": rest, "lr": lr, "orthogonal": False},
        ]
        return [group for group in groups if group["params"]]


def _sparse(name, width):
    """Return the bottleneck of a name, whose thresholds start at one unit."""
    kind = {"lista": LearnedISTA, "pursuit": LearnedPursuit}[name]
    n_atoms = _N_ATOMS_PER_CHANNEL * width
    return kind(width, n_atoms, 1.0, _N_STEPS[name])
