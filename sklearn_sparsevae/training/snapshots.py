"""What a net was at an earlier moment, so that nothing is left half-trained."""

import copy
import math

from skorch.callbacks import Callback

from sklearn_sparsevae.training.callbacks import not_finite
from sklearn_sparsevae.training.packing import can_be_packed


class ModuleState:
    """A module with the buffers that its state dict leaves out, such as counts."""

    def __init__(self, module):
        self.module = module

    def state_dict(self):
        """Return all that training moves."""
        state = self.module.state_dict()
        buffers = self.module.named_buffers()
        return {
            "module": state,
            "left_out": {k: b for k, b in buffers if k not in state},
        }

    def load_state_dict(self, state):
        """Go back to what `state_dict` returned."""
        self.module.load_state_dict(state["module"])
        for name, buffer in state["left_out"].items():
            owner, _, last = name.rpartition(".")
            owner = self.module.get_submodule(owner)
            # Its shape may have changed.
            setattr(owner, last, buffer.to(getattr(owner, last).device, copy=True))


class CallbackStates:
    """What callbacks know of a run: their own state dict, or attributes.

    By skorch's convention, what a callback finds out ends in an underscore. Taken are
    values that a checkpoint can keep, and state dicts of others.

    Parameters
    ----------
    callbacks : list of (str, Callback)
    """

    def __init__(self, callbacks):
        self.callbacks = callbacks

    def state_dict(self):
        """Return the states, and the class of each callback, by its name."""
        return {
            name: (type(callback).__qualname__, _state_of(callback))
            for name, callback in self.callbacks
        }

    def load_state_dict(self, state):
        """Give callbacks of the same name and class what they knew."""
        for name, callback in self.callbacks:
            kind, known = state.get(name, (None, {}))
            if kind != type(callback).__qualname__:
                continue
            if hasattr(callback, "load_state_dict"):
                callback.load_state_dict(known)
                continue
            for attribute, value in known.items():
                held = getattr(callback, attribute, None)
                if hasattr(held, "load_state_dict"):
                    held.load_state_dict(value)
                else:
                    setattr(callback, attribute, value)


def _state_of(callback):
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    values = {
        name: value.state_dict() if hasattr(type(value), "state_dict") else value
        for name, value in vars(callback).items()
        if name.endswith("_") and not name.startswith("_")
    }
    return {name: value for name, value in values.items() if can_be_packed(value)}


class Snapshot:
    """Copies of all that training moves, to which a net can go back."""

    def __init__(self, net):
        self.n_epochs = len(net.history)
        self.states = {
            name: None if part is None else copy.deepcopy(part.state_dict())
            for name, part in net.training_state().items()
        }

    def restore(self, net):
        """Bring the net back, its history too."""
        for name, part in net.training_state().items():
            state = self.states[name]
            if part is not None and state is not None:
                part.load_state_dict(state)
            elif name == "optimizer":
                net.optimizer_ = None
        net.module_.eval()
        del net.history[self.n_epochs :]


class KeepEpochs(Callback):
    """Keeps what training moves, as it was after the last complete epoch."""

    snapshot = None

    def on_epoch_end(self, net, **kwargs):
        """Keep it in memory, unless the last step has spoilt it."""
        for name, weights in net.module_.named_parameters():
            square = float(weights.detach().square().sum())
            if not math.isfinite(square):
                raise not_finite(f"squared norm of the weights {name}", square, net)
        self.snapshot = Snapshot(net)
