"""What all estimators share: input, training, codes out, images back."""

import abc
import functools
import numbers

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae import metrics
from sklearn_sparsevae.backbones import BACKBONES
from sklearn_sparsevae.codes import as_codes, quantize_codes
from sklearn_sparsevae.estimators import _images
from sklearn_sparsevae.estimators._collecting import collect_codes
from sklearn_sparsevae.estimators._transformer import ImageTransformer
from sklearn_sparsevae.training import (
    PIXEL_LOSSES,
    Autoencoder,
    Coder,
    ImageBatches,
    TrainingSettings,
    continue_training,
    make_net,
)

_POSITIVE_INT = Interval(numbers.Integral, 1, None, closed="left")
_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")


class BaseSparseAutoencoder(ImageTransformer, abc.ABC):
    """Encoder, bottleneck, decoder: a subclass says what the bottleneck is.

    It names all parameters in its ``__init__``, as scikit-learn asks, sets its own,
    hands on the rest, and returns a fresh module from ``_make_bottleneck(backbone)``.
    """

    # What to do with codes, not data that a meta-estimator would route.
    __metadata_request__inverse_transform = {"coef_bits": UNUSED}

    _parameter_constraints: dict = {
        "n_components": [_POSITIVE_INT],
        "latent_dim": [_POSITIVE_INT, None],
        "n_downsamples": [Interval(numbers.Integral, 0, 8, closed="both")],
        "backbone": [StrOptions({"auto", *BACKBONES})],
        "backbone_params": [dict, None],
        "image_shape": [tuple, list, None],
        "value_range": [tuple, list, None],
        "crop_size": [StrOptions({"auto"}), _POSITIVE_INT, None],
        "degrade": [callable, None],
        "max_epochs": [Interval(numbers.Integral, 0, None, closed="left")],
        "batch_size": [_POSITIVE_INT],
        "lr": [_POSITIVE],
        "lr_schedule": [StrOptions({"cosine"}), None],
        "gradient_clip": [_POSITIVE],
        "pixel_loss": [StrOptions(set(PIXEL_LOSSES))],
        "perceptual_weight": [Interval(numbers.Real, 0, 1, closed="left")],
        "perceptual_network": [callable, str, None],
        "adversarial_weight": [Interval(numbers.Real, 0, None, closed="left")],
        "adversarial_start": [Interval(numbers.Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "n_epochs_no_change": [_POSITIVE_INT],
        "tol": [Interval(numbers.Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str],
        "precision": [StrOptions({"float32", "bf16"})],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        n_components,
        latent_dim,
        n_downsamples,
        backbone,
        backbone_params,
        image_shape,
        value_range,
        crop_size,
        degrade,
        max_epochs,
        batch_size,
        lr,
        lr_schedule,
        gradient_clip,
        pixel_loss,
        perceptual_weight,
        perceptual_network,
        adversarial_weight,
        adversarial_start,
        early_stopping,
        validation_fraction,
        n_epochs_no_change,
        tol,
        warm_start,
        device,
        precision,
        callbacks,
        random_state,
        verbose,
    ):
        self.n_components = n_components
        self.latent_dim = latent_dim
        self.n_downsamples = n_downsamples
        self.backbone = backbone
        self.backbone_params = backbone_params
        self.image_shape = image_shape
        self.value_range = value_range
        self.crop_size = crop_size
        self.degrade = degrade
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.pixel_loss = pixel_loss
        self.perceptual_weight = perceptual_weight
        self.perceptual_network = perceptual_network
        self.adversarial_weight = adversarial_weight
        self.adversarial_start = adversarial_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_epochs_no_change = n_epochs_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _any_range(self):
        return self.backbone == "identity"

    @abc.abstractmethod
    def _make_bottleneck(self, backbone):
        """Return a fresh bottleneck for latents of ``backbone``."""

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train encoder, bottleneck and decoder to reconstruct ``X``, or restore ``y``.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            uint8, or floats in [0, 1] (see ``value_range``). Unless ``crop_size`` is
            None, also a list of photos ``(H, W, C)`` or ``(H, W)`` of different sizes.
            What is larger than memory comes as a memory map or a lazy sequence, such as
            :mod:`sklearn_sparsevae.datasets` loads: ``len(X)``, photos ``X[i]`` that
            are read, and checked, each time they are asked for, and ``X.shapes``, their
            shapes (without it all are read once more). A batch, crops too, reads up to
            ``batch_size`` photos; 2048 at most are read to start from.
        y : array-like or sequence, default=None
            Images to restore those of ``X`` to, uint8 or floats of the same shape: the
            model starts from them, and all losses compare with them. None stands for
            ``X`` itself. What is neither uint8 nor floats of the shape of ``X``
            (labels and integer masks, say) is not used.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When ``X`` is not as described, or ``y`` is images of another shape.
        FloatingPointError
            When a term of the loss stops being finite.
        """
        return self._train(X, y, warm=self.warm_start, keep_training=self.warm_start)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one pass over ``X``, at a constant learning rate.

        Parameters
        ----------
        X : as in `fit`
            The first call also decides where the model starts, so give it a sample
            that shows what is to come.
        y : as in `fit`
            Images to restore those of ``X`` to, or None.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._train_once(X, y)

    def _train_once(self, X, y, condition=None):
        one_pass = {"max_epochs": 1, "lr_schedule": None, "early_stopping": False}
        return self._train(X, y, True, True, condition, **one_pass)

    def _train(self, X, y, warm, keep_training, condition=None, **changed):
        """Train from the start, or where there is a net and ``warm``, from there."""
        X = _images.open_photos(X, **self._input_rules())
        images, layout, crop_size = self._check_fit_input(X)
        targets = self._check_targets(y, X)
        self._check_needs_of_images(layout)
        settings = self._settings(crop_size=crop_size, **changed)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        warm = warm and getattr(self, "net_", None) is not None
        rows = self._condition_rows(condition, len(images), fitting=not warm)
        if warm:
            self._check_same_layout(layout)
            # Other crops and another order than in the epochs before.
            seed = (seed + self.n_epochs_) % 2**31
            net = continue_training(self.net_, images, targets, settings, seed, rows)
        else:
            build = functools.partial(self._make_autoencoder, layout)
            net = make_net(build, images, targets, settings, seed, rows)
        judged = images if targets is None else targets
        if not keep_training:
            net.forget_training()
        self._keep(net, layout, judged)
        self._examine(ImageBatches(images, crop_size, fixed=True, condition=rows))
        return self

    def _condition_rows(self, condition, n_images, fitting=False):
        """Return what else the bottleneck takes, rows ``(n_images, p)``: here nothing.

        An estimator whose methods take a ``condition`` overrides this.
        """

    def _examine(self, batches):
        """Look at the training images once the model is trained."""

    def _settings(self, **changed):
        fields = TrainingSettings.__dataclass_fields__
        values = {name: getattr(self, name) for name in fields} | changed
        return TrainingSettings(**(values | {"callbacks": tuple(self.callbacks or ())}))

    def _check_fit_input(self, X):
        """Images or photos, their layout, and the side of the crops to train on."""
        rules = self._input_rules()
        if _images.is_photo_list(X) and self.crop_size is not None:
            smallest = _images.smallest_side(X)
            crop_size = self._crop_side(smallest) or smallest
            images, layout = _images.check_photos(X, crop_size=crop_size, **rules)
        else:
            images, layout = _images.check_images(X, **rules)
            crop_size = self._crop_side(min(layout.image_shape[:2]))
        if crop_size is not None:
            if layout.kind in ("vector", "flat"):
                raise ValueError(
                    f"crop_size={crop_size} needs images (n, H, W, C) or "
                    "(n, H, W), got flat rows: reshape them or leave crop_size out."
                )
            _images.check_crop_size(images, crop_size)
        return images, layout, crop_size

    def _check_targets(self, y, X):
        """Images of ``y`` to restore those of ``X`` to, or None; in fit and score."""
        rules = {"name": "y", **self._input_rules()}
        y = _images.open_photos(y, **rules)
        if not _images.is_target(y, X):
            return None
        if _images.is_photo_list(y):
            return _images.check_photos(y, crop_size=None, **rules)[0]
        return _images.check_images(y, **rules)[0]

    def _check_needs_of_images(self, layout):
        """Refuse losses that judge images, and what spoils them, without images."""
        weights = [
            f"{name}={value}"
            for name in ("perceptual_weight", "adversarial_weight")
            if (value := getattr(self, name)) > 0
        ]
        needs = weights + (["degrade"] if self.degrade is not None else [])
        if not needs:
            return
        what = "latents" if self.backbone == "identity" else layout.describe()
        if self.backbone == "identity" or layout.kind == "vector":
            raise ValueError(
                f"{' and '.join(needs)} needs images, got {what}: set it to 0 (degrade "
                "to None), or pass image_shape=(H, W, C) if the rows are images."
            )
        if self.perceptual_weight > 0 and layout.channels not in (1, 3):
            raise ValueError(
                f"{weights[0]} needs images with 1 or 3 channels, got {what}: set it "
                "to 0, or convert the images."
            )

    def _crop_side(self, smallest):
        """Side of the crops for images whose smallest side is given; None: no crops."""
        if self.crop_size != "auto":
            return self.crop_size
        side = max(64, 8 * 2**self.n_downsamples)
        whole = smallest <= side or self.image_shape is not None
        return None if whole or self.backbone == "identity" else side

    def _make_autoencoder(self, layout):
        vector = layout.kind == "vector"
        name = self._backbone_name(vector)
        n_downsamples = 0 if vector or name == "identity" else self.n_downsamples
        backbone = BACKBONES[name](
            layout.channels,
            n_downsamples,
            self.latent_dim,
            **(self.backbone_params or {}),
        )
        free = vector or name == "identity"
        value_range = (0, 1) if free else self._value_range
        bottleneck = self._make_bottleneck(backbone)
        if vector and bottleneck.patch_size > 1:
            raise ValueError(
                f"patch_size={bottleneck.patch_size} needs images or grids of latents, "
                "got vectors (n, n_features), which are one site each: leave it at 1."
            )
        site_size = 2**n_downsamples * bottleneck.patch_size
        return Autoencoder(backbone, bottleneck, site_size, value_range, self.precision)

    def _backbone_name(self, vector):
        if self.backbone == "auto":
            return "dense" if vector else "residual"
        if vector and self.backbone not in ("dense", "identity"):
            raise ValueError(
                f"backbone={self.backbone!r} needs images, got vectors of shape "
                "(n, n_features): pass image_shape=(H, W, C) if the rows are "
                "images, or use backbone='dense'."
            )
        if self.backbone == "dense" and not vector:
            raise ValueError(
                "backbone='dense' needs vectors (n, n_features), got images: flatten "
                "them, or use backbone='residual'."
            )
        return self.backbone

    # ---- codes and images -----------------------------------------------------------

    def transform(self, X):
        """Sparse codes of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features)
            As in `fit`; images may be of another size than those of the fit. A lazy
            sequence of images of one size is read batch by batch.

        Returns
        -------
        codes : SparseCodes of shape (n, h * w * n_components)
            One row per image, columns site-major, float32.
        """
        check_is_fitted(self)
        images, layout = self._check_input(X)
        coder = self._coder()
        codes, thumbnails = collect_codes(
            coder.code(images),
            len(images),
            grid_shape=coder.grid_shape(layout.image_shape),
            n_atoms=self.n_components,
        )
        if layout.kind != "vector":
            codes.image_shape = layout.public_shape(*layout.image_shape[:2])
            if self.backbone != "identity":
                codes.thumbnails = thumbnails
        return codes

    def inverse_transform(self, X, coef_bits=None):
        """Images of sparse codes.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like
            Codes ``(n, h * w * n_components)`` as from `transform`. A plain matrix is
            taken to be codes of images of the size of the fit.
        coef_bits : int, default=None
            Bits, from 2 to 16, to which coefficients are rounded first, as in codes
            stored at the rate of :func:`~sklearn_sparsevae.metrics.bits_per_pixel`;
            None takes them as they are.

        Returns
        -------
        images : ndarray
            In the layout of the input of `fit`, float32.
        """
        return self._decode(X, coef_bits)

    def _decode(self, X, coef_bits, condition=None):
        check_is_fitted(self)
        coder = self._coder()
        codes = self._check_codes(X, coder)
        if coef_bits is not None:
            codes = quantize_codes(codes, coef_bits)
        rows = self._condition_rows(condition, codes.shape[0])
        height, width = self._decoded_size(codes, coder)
        size = coder.batch_size((height, width, 1))
        images = []
        for start in range(0, codes.shape[0], size):
            part = slice(start, start + size)
            sites = codes[part].sites()
            given = None if rows is None else rows[part]
            images.append(coder.decode(sites, codes.grid_shape, height, width, given))
        return self._finish(np.concatenate(images), self.layout_.kind)

    def reconstruct(self, X, tile=None):
        """Images after coding and decoding, both steps at once; or images restored.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        tile : int, default=None
            Side in pixels of square tiles to reconstruct one after another, where whole
            images take too much memory. It is rounded up to whole sites, four at least.
            Neighbours overlap by a quarter and fade into one another, so that seams do
            not show. None takes images whole.

        Returns
        -------
        images : ndarray
            In the layout of ``X``, float32; without ``tile`` equal to
            ``inverse_transform(transform(X))``. With it, pixels are the same wherever a
            network of convolutions does not see the border of a tile; a network that
            looks at whole images ("vqgan") sees a tile instead.
        """
        return self._reconstruct(X, tile)

    def _reconstruct(self, X, tile, condition=None):
        check_is_fitted(self)
        if tile is not None:
            check_scalar(tile, "tile", numbers.Integral, min_val=1)
        images, layout = self._check_input(X)
        rows = self._condition_rows(condition, len(images))
        if tile is None:
            return self._rebuild(images, layout, rows)
        # Lazy images are read.
        output = self._coder().reconstruct_tiles(images[:], tile, rows)
        return self._finish(output, layout.kind)

    def _rebuild(self, images, layout, rows):
        output = np.concatenate(list(self._coder().reconstruct(images, rows)))
        return self._finish(output, layout.kind)

    def score(self, X, y=None):
        """Peak signal-to-noise ratio of the reconstruction, in dB, mean over images.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        y : array-like, default=None
            Images to compare with, of the shape of ``X``; None compares with ``X``.
            What is not images is not used, as in `fit`.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        return self._score(X, y)

    def _score(self, X, y, condition=None):
        check_is_fitted(self)
        X = _images.open_photos(X, **self._input_rules())
        images, layout = self._check_input(X)
        rows = self._condition_rows(condition, len(images))
        targets = self._check_targets(y, X)
        size = self._coder().batch_size(layout.image_shape)
        values = []
        for start in range(0, len(images), size):
            part = slice(start, start + size)
            batch = images[part]
            target = batch if targets is None else targets[part]
            given = None if rows is None else rows[part]
            values.extend(self._psnr(batch, target, layout, given))
        return float(np.mean(values))

    def _psnr(self, images, target, layout, rows):
        """PSNR of every image of a batch."""
        output = self._rebuild(images, layout, rows).reshape(target.shape)
        target = self._as_floats(target)
        return metrics.psnr(target, output, data_range=self.data_range_, per_image=True)

    @property
    def components_(self):
        """Atoms of the dictionary, ndarray ``(n_components, latent_dim)``."""
        check_is_fitted(self, "net_")
        return self._coder().components()

    def atoms_as_images(self):
        """Decode every atom to the patch that it adds to an image.

        Returns
        -------
        atoms : ndarray (n_components, s, s, C)
            ``s`` pixels are the side of a site; what one unit of the atom alone decodes
            to, less what an empty code decodes to.
        """
        check_is_fitted(self)
        coder = self._coder()
        side = coder.module.site_size
        one_each = sparse.eye_array(self.n_components, dtype=np.float32, format="csr")
        empty = coder.decode(0 * one_each[[0]], (1, 1), side, side)
        return coder.decode(one_each, (1, 1), side, side) - empty

    def _coder(self):
        return Coder(self.net_.module_, self.device)

    def _check_codes(self, X, coder):
        own_grid = getattr(X, "grid_shape", None)
        grid = None
        if own_grid is None:
            grid = coder.grid_shape(self.image_shape_)
            n_columns = np.shape(X)[1] if np.ndim(X) == 2 or hasattr(X, "tocsr") else 0
            expected = grid[0] * grid[1] * self.n_components
            if n_columns != expected:
                raise ValueError(
                    f"Codes of shape {np.shape(X)} have no grid of their own and do "
                    f"not fit the {grid[0]} x {grid[1]} sites of {self.n_components} "
                    f"atoms of the fitted images ({expected} columns). Pass the "
                    "SparseCodes that transform returns, or give them a grid with "
                    "sklearn_sparsevae.codes.as_codes(X, grid_shape=(h, w))."
                )
        return as_codes(X, grid_shape=grid, n_atoms=self.n_components)

    def _decoded_size(self, codes, coder):
        if codes.image_shape is not None:
            return tuple(codes.image_shape[:2])
        side = coder.module.site_size
        full = tuple(n * side for n in codes.grid_shape)
        fitted = self.image_shape_[:2]
        same = coder.grid_shape(self.image_shape_) == tuple(codes.grid_shape)
        return fitted if same else full

    @property
    def _n_features_out(self):
        height, width = self._coder().grid_shape(self.image_shape_)
        return height * width * self.n_components
