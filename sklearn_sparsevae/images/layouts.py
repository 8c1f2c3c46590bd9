"""How a user lays out images, so that what goes back looks as what came."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Layout:
    """Kind and shape of the images of a set.

    Attributes
    ----------
    kind : {"channels", "grey", "flat", "vector"}
        ``(n, H, W, C)``, ``(n, H, W)``, rows that are images, or rows that are vectors.
    image_shape : tuple of int (H, W, C) or (None, None, C)
        Of every image, without H and W where they differ; ``(1, 1, n_features)`` for
        vectors.
    """

    kind: str
    image_shape: tuple

    @property
    def channels(self):
        """Number of channels."""
        return self.image_shape[2]

    @property
    def n_features(self):
        """Numbers in one image."""
        height, width, channels = self.image_shape
        return height * width * channels

    @property
    def is_vector(self):
        """Whether rows are vectors rather than images."""
        return self.kind == "vector"

    def restore(self, images):
        """Give channels-last images ``(n, H, W, C)`` the layout of the input."""
        if self.kind in ("flat", "vector"):
            return images.reshape(images.shape[0], math.prod(images.shape[1:]))
        return images[..., 0] if self.kind == "grey" else images

    def shape_of(self, n_images, height, width):
        """Shape of images of a size that have been given this layout."""
        shape = (height, width, self.channels)
        if self.kind in ("flat", "vector"):
            return n_images, math.prod(shape)
        return n_images, *self.public_shape(height, width)

    def public_shape(self, height, width):
        """Shape of one image of a size in this layout; rows count as images."""
        return (height, width, self.channels)[: 2 if self.kind == "grey" else 3]

    def describe(self):
        """Words for what has this layout."""
        if self.is_vector:
            return f"vectors of {self.n_features} features"
        return f"images with {self.channels} channel(s)"

    def check_like(self, fitted, estimator_name, name="X"):
        """Raise when a model that was fitted on another layout cannot take this one."""
        both_vectors = self.is_vector and fitted.is_vector
        if both_vectors and self.n_features != fitted.n_features:
            raise ValueError(
                f"{name} has {self.n_features} features, but {estimator_name} is "
                f"expecting {fitted.n_features} features as input."
            )
        if self.channels == fitted.channels and self.is_vector == fitted.is_vector:
            return
        remedy = f"convert the images to {fitted.channels} channel(s), channels last"
        if fitted.is_vector:
            remedy = f"give rows (n, {fitted.n_features})"
        raise ValueError(
            f"{name} is {self.describe()}, but this model was fitted on "
            f"{fitted.describe()}: {remedy}."
        )
