"""Random numbers of one's own: no draw touches torch's global generators."""

import contextlib

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_sparsevae._ranks import draw_like

# What draws from torch's global generator unless it is given one.
_DRAWS = {
    *(torch.bernoulli, torch.multinomial, torch.normal, torch.poisson),
    *(torch.binomial, torch._standard_gamma, torch._sample_dirichlet),
    *(torch.rand, torch.randint, torch.randn, torch.randperm),
    *(torch.Tensor.bernoulli, torch.Tensor.multinomial),
    *(torch.Tensor.bernoulli_, torch.Tensor.cauchy_, torch.Tensor.exponential_),
    *(torch.Tensor.geometric_, torch.Tensor.log_normal_, torch.Tensor.normal_),
    *(torch.Tensor.random_, torch.Tensor.uniform_),
}
# What cannot be given one, and the draw in place that does the same.
_DRAWS_LIKE = {
    torch.rand_like: torch.Tensor.uniform_,
    torch.randn_like: torch.Tensor.normal_,
}


class OwnGenerator(TorchFunctionMode):
    """Inside the block, what torch draws in this thread comes from a generator of ours.

    So layers that are made, dropout, noise and the order of batches repeat themselves
    by the seed, whatever other threads draw meanwhile, and leave no trace in the global
    generators. Blocks may be nested; each has its own generators, one for a device.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed):
        super().__init__()
        self._seed, self._generators = seed, {}

    def _generator_on(self, device):
        if device not in self._generators:
            generator = torch.Generator(device).manual_seed(self._seed)
            self._generators[device] = generator
        return self._generators[device]

    def state_dict(self):
        """Return the state of the generator on each device that was drawn on."""
        return {str(d): g.get_state() for d, g in self._generators.items()}

    def load_state_dict(self, state):
        """Go back to what `state_dict` returned, as far as there are such devices."""
        for name, of_generator in state.items():
            with contextlib.suppress(RuntimeError):
                self._generator_on(torch.device(name)).set_state(of_generator)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch, with our generator if it draws."""
        kwargs = {} if kwargs is None else kwargs
        if func in _DRAWS_LIKE:
            empty = torch.empty_like(*args, **kwargs)
            generator = self._generator_on(empty.device)
            return _DRAWS_LIKE[func](empty, generator=generator)
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        draws = func in _DRAWS or "generator" in kwargs  # such as those of nn.init
        if draws and kwargs.get("generator") is None:
            tensors = [a for a in (*args, *kwargs.values()) if torch.is_tensor(a)]
            device = tensors[0].device if tensors else kwargs.get("device") or "cpu"
            generator = self._generator_on(torch.device(device))
            kwargs = {**kwargs, "generator": generator}
        return func(*args, **kwargs)

    def _dropout(self, input, p=0.5, training=True, inplace=False):
        if not training or p == 0:
            return input
        generator = self._generator_on(input.device)
        # In training its input has the images of a batch along the first axis.
        kept = draw_like(input, lambda x: x.bernoulli_(1 - p, generator=generator))
        return input * kept / (1 - p)
