"""What all autoencoders share: input, training, codes out, images back.

Longer than other modules because the docstrings that all estimators inherit are here.
"""

from __future__ import annotations

import abc
import functools
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from sklearn_sparsevae._arguments import (
    check_out,
    naming,
    random_numbers,
    whole_number,
    write_blocks,
)
from sklearn_sparsevae._parameters import parameters
from sklearn_sparsevae._progress import SILENT, progress
from sklearn_sparsevae._typing import Codes, Images, ImagesOut, Unused
from sklearn_sparsevae.codes import SparseCodes, as_codes, quantize_codes
from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.estimators._building import (
    check_needs_of_images,
    check_site_size,
    make_autoencoder,
)
from sklearn_sparsevae.estimators._collecting import collect_codes
from sklearn_sparsevae.estimators._stopping import warn_and_raise
from sklearn_sparsevae.estimators._transformer import ImageTransformer
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training import (
    Coder,
    ImageBatches,
    ReconstructionNet,
    TrainingSettings,
    fitted_together,
    from_first,
    open_checkpoints,
    train_net,
)


@parameters
class BaseSparseAutoencoder(
    groups.Model,
    groups.Images,
    groups.Target,
    groups.Crops,
    groups.Training,
    groups.Continuing,
    groups.EarlyStopping,
    groups.Losses,
    groups.Running,
    groups.Loading,
    groups.Precision,
    ImageTransformer,
):
    """Encoder, bottleneck, decoder: a subclass says what the bottleneck is.

    It lists its own parameters, ``n_components`` among them, and returns a fresh module
    from ``_make_bottleneck(backbone)``.
    """

    _net_class = ReconstructionNet

    # What to do with codes, not data that a meta-estimator would route.
    __metadata_request__inverse_transform = {"coef_bits": UNUSED, "out": UNUSED}

    @abc.abstractmethod
    def _make_bottleneck(self, backbone):
        """Return a fresh bottleneck for latents of ``backbone``."""

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: Unused = None) -> Self:
        """Train encoder, bottleneck and decoder to reconstruct ``X``, or restore ``y``.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            Unsigned integers, or floats in [0, 1] (see ``value_range``). Unless
            ``crop_size`` is None, also a list of photos ``(H, W, C)`` or ``(H, W)`` of
            different sizes. What is larger than memory comes as a memory map, an array
            of h5py, zarr or Dask, or a lazy sequence, such as
            :mod:`sklearn_sparsevae.datasets` loads: ``len(X)``, photos ``X[i]`` that
            are read each time they are asked for, and ``X.shapes``, their shapes
            (without it all are read once more). A batch, crops too, reads up to
            ``batch_size`` photos; 2048 at most are read to start from.
        y : array-like or sequence, default=None
            With ``target="y"``, the images to restore those of ``X`` to, of the same
            shapes: the model starts from them, and all losses compare with them. Not
            used otherwise, whatever it is.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When ``X`` is not as described, or ``y``, where it is used, is not images of
            the same shapes.
        FloatingPointError
            When a term of the loss stops being finite. As after any other error, an
            earlier fit stands.

        Warns
        -----
        ConvergenceWarning
            When Ctrl-C, or an error of a callback or of reading, stopped the training
            after complete epochs. These are kept, and the error is raised.
        """
        return self._train(X, y, warm=self.warm_start, keep_training=self.warm_start)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Images, y: Unused = None) -> Self:
        """Train for one pass over ``X``, at a constant learning rate.

        Parameters
        ----------
        X : as in `fit`
            The first call also decides where the model starts, so give it a sample
            that shows what is to come.
        y : as in `fit`
            Images to restore those of ``X`` to, with ``target="y"``.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._train_once(X, y)

    def _train_once(self, X, y, condition=None):
        self._refuse_checkpoint("partial_fit")
        one_pass = {"max_epochs": 1, "lr_schedule": None, "early_stopping": False}
        return self._train(X, y, True, True, condition, **one_pass)

    @fitted_together
    def _train(self, X, y, warm, keep_training, condition=None, **changed):
        """Open, train, keep: from the start, or from where a net is if ``warm``."""
        warm = warm and self.__sklearn_is_fitted__()
        if warm:
            self._refuse_checkpoint("a fit with warm_start=True")
        spec = self._input if warm else self._make_spec()
        if warm:
            _check_feature_names(self, X, reset=False)
        photos, spec, names = self._open_to_fit(X, y, spec)
        photos, conditions = self._with_condition(photos, condition, warm)
        photos = self._with_crops(photos)
        check_needs_of_images(self, photos.layout)
        if warm:
            photos.layout.check_like(self.layout_, type(self).__name__)
        with open_checkpoints(self, photos, self._draw_seed(warm)) as kept:
            net = train_net(
                lambda: self._make_module(photos),
                photos,
                TrainingSettings.of(self, checkpoints=kept, **changed),
                kept.seed,
                self.net_ if warm else None,
            )
        if self.degrade is not None:  # then what comes later may be degraded
            spec = spec.beyond_the_range()
        stopped_by = net.stopped_by
        if not keep_training:
            net.forget_training()
        self._keep(net, photos, spec, names)
        self._keep_condition(conditions)
        self._examine(ImageBatches(photos, fixed=True))
        warn_and_raise(self, stopped_by)
        return self

    def _refuse_checkpoint(self, what):
        """Raise where a checkpoint would not say where training has to go on."""
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} is for fits that start anew, but "
                f"{what} goes on from the model as it is: set checkpoint=None, and "
                "save the model between the steps."
            )

    def _make_module(self, photos):
        check_site_size(self, photos)
        rows = photos.condition
        return make_autoencoder(
            self, photos.layout, None if rows is None else rows.shape[1]
        )

    def _fresh_module(self):
        return make_autoencoder(self._as_built(), self.layout_, self._n_conditions())

    def _n_conditions(self):
        """Numbers of the condition of the fit: here none.

        `ConditionMixin` overrides this.
        """

    def _draw_seed(self, warm):
        seed = from_first(random_numbers(self.random_state).randint(2**31 - 1))
        # Other crops and another order than in the epochs before.
        return (seed + self.n_epochs_) % 2**31 if warm else seed

    def _with_condition(self, photos, condition, warm):
        """Photos with what else the bottleneck takes, and what turns it into rows.

        Here nothing; `ConditionMixin` overrides this and `_keep_condition`.
        """
        return photos, None

    def _keep_condition(self, conditions):
        """Keep what turns conditions into rows."""

    def _examine(self, batches):
        """Look at the training images once the model is trained."""

    def _make_spec(self):
        return InputSpec.of(
            self.image_shape,
            self.value_range,
            self.target,
            latents=self.backbone == "identity",
        )

    def _with_crops(self, photos):
        """Photos with the side of the crops to train on, if that is what to do."""
        if not photos.is_one_size and self.crop_size is None:
            raise ValueError(
                "X holds images of different sizes, which are trained on through "
                "crops: set crop_size, or leave it at 'auto'."
            )
        if self.crop_size != "auto":
            return photos.with_crops(self.crop_size)
        side, smallest = max(64, 8 * 2**self.n_downsamples), photos.smallest_side
        given = self.image_shape is not None or self.backbone == "identity"
        if photos.is_one_size and (smallest <= side or given):
            return photos
        return photos.with_crops(min(side, smallest))

    # ---- codes and images -----------------------------------------------------------

    def transform(self, X: Images) -> SparseCodes | Any:
        """Sparse codes of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `fit`; images may be of another size than those of the fit, and of
            different sizes in a list. A lazy sequence is read batch by batch.

        Returns
        -------
        codes : SparseCodes of shape (n, h * w * n_components), or list of SparseCodes
            One row per image, columns site-major, float32. Photos of different sizes
            have codes of one row each, in a list. Where channel means are coded apart,
            ``n_mean_atoms`` says how many atoms, the first, are theirs.
        """
        return self._codes_of(X)

    def _code(self, photos):
        coder, layout = self._coder(), photos.layout
        codes, thumbnails = collect_codes(
            coder.code(photos),
            len(photos),
            grid_shape=coder.grid_shape(layout.image_shape),
            n_atoms=coder.n_components,
            n_mean_atoms=coder.n_mean_atoms,
        )
        if not layout.is_vector:
            codes.image_shape = layout.public_shape(*layout.image_shape[:2])
            if not self._input.latents:
                codes.thumbnails = thumbnails
        return codes

    def inverse_transform(
        self, X: Codes, coef_bits: int | None = None, out: Any = None
    ) -> ImagesOut:
        """Images of sparse codes.

        Parameters
        ----------
        X : SparseCodes, sparse array or matrix, or array-like; or list of SparseCodes
            Codes ``(n, h * w * n_components)`` as from `transform`. A plain matrix is
            taken to be codes of images of the size of the fit.
        coef_bits : int, default=None
            Bits, from 2 to 16, to which coefficients are rounded first, as in codes
            stored at the rate of :func:`~sklearn_sparsevae.metrics.bits_per_pixel`, by
            :func:`~sklearn_sparsevae.codes.quantize_codes` with the atoms; None takes
            them as they are.
        out : ndarray, such as a memory map, default=None
            Where to write the images, of the shape and dtype that they have; it is
            returned. Anything with ``shape``, ``dtype`` and ``out[start:stop] = block``
            will do. Not for a list.

        Returns
        -------
        images : ndarray, or list of ndarray
            In the layout of the input of `fit`, float32; of a list of codes a list of
            images, one for each row.
        """
        return self._decode(X, coef_bits, out=out)

    def _decode(self, X, coef_bits, condition=None, out=None):
        check_is_fitted(self)
        parts = X if _is_list_of_codes(X) else [X]
        parts = [self._check_codes(part) for part in parts]
        if coef_bits is not None:
            atoms = self.components_
            parts = [quantize_codes(part, coef_bits, atoms) for part in parts]
        n_images = sum(part.shape[0] for part in parts)
        rows = self._condition_rows(condition, n_images)
        if out is not None and _is_list_of_codes(X):
            raise ValueError(
                "out= needs codes of images of one size, in one matrix; got a list of "
                "them: decode them one by one."
            )
        what, images, done = f"{type(self).__name__}.inverse_transform", [], 0
        with progress(what, n_images, self.verbose) as bar:
            if not _is_list_of_codes(X):
                return self._decode_rows(*parts, rows, bar, out)
            for part in parts:
                given = None if rows is None else rows[done : done + part.shape[0]]
                images.extend(self._decode_rows(part, given, bar))
                done += part.shape[0]
        return images

    def _decode_rows(self, codes, rows=None, bar=SILENT, out=None):
        """Images of codes of one grid, with rows ``(n, p)`` of what else is known."""
        coder, codes = self._coder(), self._check_codes(codes)
        height, width = self._decoded_size(codes, coder)
        size = coder.batch_size((height, width, 1))
        shape = self.layout_.shape_of(codes.shape[0], height, width)
        if out is not None:
            check_out(out, shape, np.float32)

        def decode(start):
            part = slice(start, start + size)
            given = None if rows is None else rows[part]
            sites, grid = codes[part].sites(), codes.grid_shape
            images = coder.decode(sites, grid, height, width, given)
            bar.update(len(images))
            return self._finish(images)

        images = np.empty(shape, np.float32) if out is None else out
        return write_blocks(map(decode, range(0, codes.shape[0], size)), images)

    def _condition_rows(self, condition, n_images):
        """Return what else the bottleneck takes, rows ``(n_images, p)``: here nothing.

        `ConditionMixin` overrides this.
        """

    def reconstruct(
        self,
        X: Images,
        tile: int | None = None,
        out: Any = None,
        n_shifts: int = 1,
    ) -> ImagesOut:
        """Images after coding and decoding, both steps at once; or images restored.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        tile : int, default=None
            Side in pixels of square tiles to reconstruct one after another, where whole
            images take too much memory. It is rounded up to whole sites, four at least.
            Neighbours overlap by a quarter and fade into one another, so that seams do
            not show. None takes images whole.
        out : ndarray, such as a memory map, default=None
            Where to write the images, of the shape of ``X`` and dtype float32; it is
            returned. Anything with ``shape``, ``dtype`` and ``out[start:stop] = block``
            will do. For images of one size.
        n_shifts : int, default=1
            Average over so many shifts of the grid of sites, the first of which is
            none, up to as many as a site has pixels. What a model restores gains some
            tenths of a decibel, and takes as many times as long.

        Returns
        -------
        images : ndarray, or list of ndarray
            In the layout of ``X``, float32; without ``tile`` and shifts equal to
            ``inverse_transform(transform(X))``. With it, pixels are the same wherever a
            network of convolutions does not see the border of a tile; a network that
            looks at whole images ("vqgan") sees a tile instead.
        """
        photos, rebuild = self._open(X), self._rebuild
        if tile is not None:
            tiles = self._coder().reconstruct_tiles
            rebuild = functools.partial(tiles, tile=whole_number(tile, "tile"))
        rebuild = functools.partial(
            rebuild, n_shifts=whole_number(n_shifts, "n_shifts")
        )
        if out is None:
            return self._images_of(photos, rebuild)
        return self._images_to(out, photos, rebuild)

    def _rebuild(self, photos, n_shifts=1):
        output = np.empty((len(photos), *photos.layout.image_shape), np.float32)
        return write_blocks(self._coder().reconstruct(photos, n_shifts), output)

    def _batch_size(self, photos):
        return self._coder().batch_size(photos.layout.image_shape)

    @property
    def components_(self) -> NDArray[np.float32]:
        """Atoms of the dictionary, ndarray ``(n_components, latent_dim)``."""
        check_is_fitted(self, "net_")
        return self._coder().components()

    def atoms_as_images(self) -> NDArray[np.float32]:
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
        one_each = sparse.eye_array(coder.n_components, dtype=np.float32, format="csr")
        empty = coder.decode(0 * one_each[[0]], (1, 1), side, side)
        return coder.decode(one_each, (1, 1), side, side) - empty

    def _draw_codes(self, n_samples, random_state):
        """Codes from the prior of the bottleneck, on the grid of the fit."""
        check_is_fitted(self)
        n_samples = whole_number(n_samples, "n_samples")
        seed = random_numbers(random_state).randint(2**31 - 1)
        coder = self._coder()
        codes = coder.sample(n_samples, coder.grid_shape(self.image_shape_), seed)
        return codes.reshape(n_samples, -1)

    def _coder(self):
        return Coder(self.net_.module_, self.device)

    def _check_codes(self, X):
        coder, grid = self._coder(), None
        if getattr(X, "grid_shape", None) is None:
            grid = coder.grid_shape(self.image_shape_)
            shape = _shape_of_codes(X)
            expected = grid[0] * grid[1] * coder.n_components
            if len(shape) != 2 or shape[1] != expected:
                raise ValueError(
                    f"Codes of shape {shape} have no grid of their own and do "
                    f"not fit the {grid[0]} x {grid[1]} sites of {coder.n_components} "
                    f"atoms of the fitted images ({expected} columns). Pass the "
                    "SparseCodes that transform returns, or give them a grid with "
                    "sklearn_sparsevae.codes.as_codes(X, grid_shape=(h, w))."
                )
        codes = as_codes(X, grid_shape=grid, n_atoms=coder.n_components)
        size = codes.image_shape
        if self.layout_.is_vector and tuple(codes.grid_shape) != (1, 1):
            raise ValueError(
                f"X holds codes of a grid of {codes.grid_shape[0]} x "
                f"{codes.grid_shape[1]} sites, but vectors, on which this model was "
                "fitted, are one site each: pass codes of this model."
            )
        if size is not None and coder.grid_shape(size) != tuple(codes.grid_shape):
            side = coder.module.site_size
            raise ValueError(
                f"Codes of a grid of {codes.grid_shape[0]} x {codes.grid_shape[1]} "
                f"sites cannot be of images of shape {size}, since a site of this "
                f"model is {side}x{side} pixels. Pass codes of this model."
            )
        return codes

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
        coder = self._coder()
        height, width = coder.grid_shape(self.image_shape_)
        return height * width * coder.n_components


def _is_list_of_codes(X):
    """Whether these are codes of several grids, not an array-like of numbers."""
    return isinstance(X, list | tuple) and any(
        hasattr(part, "shape") and len(part.shape) for part in X
    )


def _shape_of_codes(X):
    """Shape of what may be a plain matrix of codes, or an error in words."""
    with naming("X"):
        return np.shape(X)
