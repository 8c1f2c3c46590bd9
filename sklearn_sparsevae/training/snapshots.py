"""What a net was at an earlier moment, so that nothing is left half-trained."""

import copy
import math

from skorch.callbacks import Callback

from sklearn_sparsevae.training.callbacks import not_finite


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
