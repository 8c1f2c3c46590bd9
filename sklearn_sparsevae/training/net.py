"""The skorch engine that trains every net; its leaves add a loss and their steps.

Seeds, schedule, clipping, early stopping, progress, interruption and pickling are here
once. Longer than other modules because what a run goes through is one story.
"""

import contextlib
import dataclasses
import functools

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import unpack_data
from skorch.helper import predefined_split

from sklearn_sparsevae import _ranks
from sklearn_sparsevae._arguments import naming
from sklearn_sparsevae.training.callbacks import (
    EpochTerms,
    GradientClipping,
    ProgressBar,
)
from sklearn_sparsevae.training.checkpoints import Checkpoints
from sklearn_sparsevae.training.devices import resolve_device
from sklearn_sparsevae.training.history import as_arrays
from sklearn_sparsevae.training.loading import BatchLoader
from sklearn_sparsevae.training.ranks import in_turn, is_first, sum_gradients
from sklearn_sparsevae.training.seeds import OwnGenerator
from sklearn_sparsevae.training.snapshots import (
    CallbackStates,
    KeepEpochs,
    ModuleState,
    Snapshot,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How to run the training; fields are the estimators' parameters of that name."""

    max_epochs: int
    batch_size: int
    lr: float
    lr_schedule: str | None = "cosine"
    gradient_clip: float = 1.0
    n_epochs_no_change: int = 5
    tol: float = 1e-4
    device: str = "auto"
    callbacks: tuple = ()
    verbose: int = 0
    #: Where the training is kept, and what is there of it.
    checkpoints: Checkpoints = Checkpoints(0)

    @classmethod
    def of(cls, estimator, **changed):
        """Take the parameters of an estimator that have the same names."""
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        given = {k: v for k, v in vars(estimator).items() if k in kinds} | changed
        for name, value in given.items():
            # NumPy's integers of few bits overflow in what is computed from them, and
            # torch has no place for Python's of many.
            if kinds[name] is float:
                given[name] = float(value)
            elif isinstance(value, np.generic):
                given[name] = value.item()
        return cls(**(given | {"callbacks": tuple(given.get("callbacks") or ())}))


class Net(NeuralNet):
    """skorch's engine with errors that surface and nothing that is left half-done.

    A leaf overrides `get_loss`, and perhaps the hooks below it.

    Attributes
    ----------
    stopped_by : Exception, KeyboardInterrupt or None
        What ended the last run after at least one complete epoch: the net is then as
        after the last of these.
    """

    #: Optimizer of the leaf, a class, and its moving averages' decays.
    optimizer_class, betas = torch.optim.Adam, (0.9, 0.99)
    #: How the numbers of the module lie in memory, which decides their last bits.
    memory_format = torch.contiguous_format
    optimizer_ = None
    stopped_by = None

    @classmethod
    def around(cls, module, settings):
        """Net that has not been trained, with a module that stands."""
        return cls(
            module,
            criterion=torch.nn.Module,  # losses are the leaves'
            optimizer=functools.partial(cls.optimizer_class, betas=cls.betas),
            lr=settings.lr,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            iterator_train=BatchLoader,
            iterator_train__shuffle=True,
            iterator_valid=BatchLoader,
            train_split=None,
            callbacks=[],
            callbacks__print_log=None,
            callbacks__train_loss=None,
            callbacks__valid_loss=None,
            device=resolve_device(settings.device),
            verbose=0,
        ).initialize()

    # ---- what a leaf may add --------------------------------------------------------

    def parameter_groups(self):
        """Let the module say which parameters train how fast."""
        return self.module_.parameter_groups(self.lr)

    def own_callbacks(self, n_steps):
        """Callbacks of the leaf for a run of so many steps, as named pairs."""
        return []

    def training_state(self):
        """All that training moves, by name: what has ``state_dict`` or is None."""
        return {"module": ModuleState(self.module_), "optimizer": self.optimizer_}

    # ---- running --------------------------------------------------------------------

    def run(self, train, valid, settings, seed):
        """Train from where the net is.

        A run that fails leaves the net as it was. One that is interrupted, or whose
        data or callbacks raise, leaves it as after the last complete epoch, if there
        is one, and what stopped it in `stopped_by`; else that is raised.

        Parameters
        ----------
        train, valid : Dataset
            As `BatchLoader` takes them; ``valid`` is None without early stopping.
        settings : RunSettings
        seed : int
        """
        self.lr, self.batch_size = settings.lr, settings.batch_size
        self.device = resolve_device(settings.device)
        self.module_.to(self.device)
        self.train_split = None if valid is None else predefined_split(valid)
        begin = Snapshot(self)
        last = KeepEpochs()
        self.callbacks = self._callbacks(settings, len(train), valid is not None, last)
        with naming("callbacks"):
            self.initialize_callbacks()
        self._have_optimizer()
        self.stopped_by = None
        try:
            with _ranks.together(), OwnGenerator(seed) as generators:
                self._loop(train, settings, generators, last)
        except KeyboardInterrupt as stop:
            self._stop(begin, last, _interruption(self, begin, last), stop)
        except FloatingPointError as error:
            self._go_back(begin)
            settings.checkpoints.fail(error)
            raise
        except Exception as error:
            self._stop(begin, last, error)
        except BaseException:
            self._go_back(begin)
            raise
        finally:
            self.train_split = None  # it holds the validation images
            last.snapshot = None

    def _loop(self, train, settings, generators, last):
        rates = [group["lr"] for group in self.optimizer_.param_groups]
        self.notify("on_train_begin", X=train, y=None)
        # A callback may have loaded an optimizer whose schedule has run out.
        for group, rate in zip(self.optimizer_.param_groups, rates, strict=True):
            group["lr"] = rate
        kept, n_epochs = settings.checkpoints, settings.max_epochs
        if kept.is_found:
            kept.load(self._moved(generators), self.history)
            last.snapshot = Snapshot(self) if kept.n_done else None
        else:
            kept.write(self._moved(generators), self.history, 0, n_epochs == 0)
        n_left = 0 if kept.is_over else n_epochs - kept.n_done
        try:
            for n_done in range(kept.n_done + 1, kept.n_done + n_left + 1):
                self.fit_loop(train, epochs=1)
                over = n_done == n_epochs
                kept.write(self._moved(generators), self.history, n_done, over)
        except KeyboardInterrupt:
            if not self._has_stopped_early():
                raise
            kept.write(self._moved(generators), self.history, n_done, True)
        self.notify("on_train_end", X=train, y=None)

    def _moved(self, generators):
        """All that moves while training, what is of this run alone too."""
        callbacks = CallbackStates(self.callbacks_)
        of_run = {"callbacks": callbacks, "generators": generators}
        return {**self.training_state(), **of_run}

    def run_single_epoch(self, iterator, *args, **kwargs):
        """Go through batches, of which every rank has its part.

        No thread that makes batches ahead is left afterwards.
        """
        if iterator is None:
            return
        with (
            _ranks.dividing_batches(),
            contextlib.closing(in_turn(iterator)) as batches,
        ):
            super().run_single_epoch(batches, *args, **kwargs)

    def train_step_single(self, batch, **fit_params):
        """Have the loss of a batch and its gradient; those of all ranks together."""
        self._set_training(True)
        inputs, targets = unpack_data(batch)
        y_pred = self.infer(inputs, **fit_params)
        loss = self.get_loss(y_pred, targets, X=inputs, training=True)
        (_ranks.share() * loss).backward()
        loss = sum_gradients(self.module_.parameters(), loss)
        return {"loss": loss, "y_pred": y_pred}

    def validation_step(self, batch, **fit_params):
        """Have the loss of a batch, of all ranks together."""
        step = super().validation_step(batch, **fit_params)
        (step["loss"],) = _ranks.batch_mean(step["loss"])
        return step

    def _go_back(self, snapshot):
        """Be as one was then, and let callbacks close what they opened."""
        snapshot.restore(self)
        # The error that stopped the run is the one that counts.
        with contextlib.suppress(Exception):
            self.notify("on_train_end", X=None, y=None)

    def _stop(self, begin, last, error, cause=None):
        """Keep complete epochs and what stopped the run, or raise it without any."""
        complete = last.snapshot is not None
        self._go_back(last.snapshot or begin)
        if not complete:
            raise error from cause
        error.__cause__ = cause or error.__cause__
        self.stopped_by = error

    def _has_stopped_early(self):
        """Whether skorch's `EarlyStopping` raised the interrupt, as it does."""
        return any(
            isinstance(callback, EarlyStopping)
            and callback.misses_ >= callback.patience
            for _, callback in self.callbacks_
        )

    def _callbacks(self, settings, n_items, has_valid, last):
        """Build the callbacks of one run; the user's come last."""
        epochs = settings.max_epochs
        n_steps = max(1, epochs * -(-n_items // settings.batch_size))
        callbacks = [("terms", EpochTerms()), *self.own_callbacks(n_steps)]
        callbacks.append(("epochs", last))  # kept once all figures are there
        if settings.lr_schedule == "cosine":
            policy = torch.optim.lr_scheduler.CosineAnnealingLR
            # last_epoch: start anew, though the history may be that of earlier runs
            rate = LRScheduler(policy, step_every="batch", T_max=n_steps, last_epoch=-1)
            callbacks.append(("lr", rate))
        callbacks.append(("clip", GradientClipping(settings.gradient_clip)))
        if has_valid and epochs:
            stopping = EarlyStopping(
                "valid_loss",
                patience=settings.n_epochs_no_change,
                threshold=settings.tol,
                load_best=True,
            )
            callbacks.append(("stopping", stopping))
        if settings.verbose and is_first():
            n_done = settings.checkpoints.n_done
            callbacks.append(("progress", ProgressBar(epochs, n_done=n_done)))
        return callbacks + check_callbacks(settings.callbacks)

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Let the leaf say which parameters train how fast."""
        return (self.parameter_groups(),), self.get_params_for(prefix)

    def _have_optimizer(self):
        """Have an optimizer whose learning rates are those of a first epoch."""
        if self.optimizer_ is None:
            self.initialize_optimizer()
        groups = self.parameter_groups()
        for group, start in zip(self.optimizer_.param_groups, groups, strict=True):
            group["lr"] = start["lr"]
            group.pop("initial_lr", None)  # a schedule's, which has run out

    # ---- afterwards -----------------------------------------------------------------

    @property
    def epochs(self):
        """Dict of ndarray ``(n_epochs,)``: the figures of all epochs, by name."""
        return as_arrays(self.history)

    def forget_training(self):
        """Drop all that only further training needs (it may hold device memory)."""
        self.module_.eval()
        self.module_.zero_grad(set_to_none=True)
        self.__dict__.update(self._no_training())

    def _no_training(self):
        """Attributes of a net that nothing is kept to train with."""
        moved = {f"{name}_" for name in self.training_state()} - {"module_"}
        names = {"criterion_", "callbacks", "stopped_by", *moved}
        return dict.fromkeys(names) | {"callbacks_": []}

    def __repr__(self):
        if not self.initialized_:
            return super().__repr__()
        parameters = list(self.module_.parameters())
        n_numbers = sum(p.numel() for p in parameters)
        of = f"{type(self.module_).__name__} of {n_numbers:,} parameters"
        place = f"{len(self.history)} epochs, on {parameters[0].device}"
        return f"<{type(self).__name__}: {of}, {place}>"

    __str__ = __repr__

    def __getstate__(self):
        """Pickle the module on the CPU and nothing of the training.

        So any machine can load it; further training starts with a fresh optimizer.
        """
        self.module_.to("cpu")
        return self.__dict__ | self._no_training()

    def __setstate__(self, state):
        self.__dict__.update(state)


def _interruption(net, begin, last):
    """Error that says where Ctrl-C came and what is left."""
    number = len(net.history)
    if last.snapshot is None:
        kept = "the model is as it was before"
    else:
        n_epochs = last.snapshot.n_epochs - begin.n_epochs
        kept = f"the {n_epochs} epoch(s) before it are kept"
    return KeyboardInterrupt(
        f"Training was interrupted in epoch {number}, which is not complete: {kept}. "
        "Fit again for all epochs."
    )


def check_callbacks(callbacks):
    """Return the user's callbacks as skorch takes them, or say which is none."""
    for given in callbacks:
        callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
        base = callback if isinstance(callback, type) else type(callback)
        if not issubclass(base, Callback):
            raise TypeError(
                f"callbacks holds {given!r}; expected skorch callbacks, or pairs of a "
                "name and a callback."
            )
    return list(callbacks)
