"""Tokens into bytes and back: a range coder whose model is a trained `CodeTransformer`.

A decoder knows only the tokens that it has decoded, so it goes through an image slot by
slot. The encoder takes the very same steps, with the same batches of images, since sums
of floating-point numbers in another order give other numbers, and a single
probability that differs makes all that follows unreadable. What may still differ from
one machine to another is the last digits: probabilities are computed in float64 and
rounded to multiples of ``_GRAIN``, far coarser than these, so that it rarely matters.
"""

import numpy as np
import torch

from sklearn_sparsevae._progress import progress
from sklearn_sparsevae.training.code_prior import BATCH_ENTRIES, exact
from sklearn_sparsevae.training.devices import resolve_device

# These and the order of steps are the format: a change of any makes files unreadable.
# The coder counts in 2**-24, and gives as much to a token that rounds to zero.
_GRAIN = 2.0**-20
_WORD = np.dtype("<u4")


def encode_tokens(module, tokens, device, verbose=0):
    """Bytes of tokens, near what their likelihood says.

    Parameters
    ----------
    module : CodeTransformer
    tokens : ndarray of int (n, n_sites, n_slots, 2)
    device : str
        As in the estimator.
    verbose : int
        As in the estimator.

    Returns
    -------
    content : bytes
    """
    coder, family = _constriction()
    encoder = coder.RangeEncoder()

    def encode(batch):
        def choose(log_probabilities, place):
            symbols = batch[place]
            encoder.encode(
                symbols.cpu().numpy().astype(np.int32),
                family,
                _rounded(log_probabilities),
            )
            return symbols

        return choose

    tokens = torch.from_numpy(tokens)
    module = exact(module, resolve_device(device))
    with progress("CodePrior.compress", len(tokens), verbose) as bar:
        for batch in tokens.split(_n_together(module)):
            batch = batch.to(module.slots.device)
            module.generate(len(batch), encode(batch), bar)
    return encoder.get_compressed().astype(_WORD).tobytes()


def decode_tokens(module, content, n_images, device, verbose=0):
    """Tokens of ``n_images`` images from what `encode_tokens` gave.

    Raises
    ------
    ValueError
        When these bytes cannot be of this module. Mostly they give other tokens.
    """
    coder, family = _constriction()
    decoder = coder.RangeDecoder(np.frombuffer(content, _WORD).astype(np.uint32))
    module = exact(module, resolve_device(device))

    def choose(log_probabilities, place):
        symbols = decoder.decode(family, _rounded(log_probabilities))
        return torch.from_numpy(symbols).to(log_probabilities.device, torch.int64)

    parts, together = [], _n_together(module)
    with progress("CodePrior.decompress", n_images, verbose) as bar:
        for start in range(0, n_images, together):
            number = min(together, n_images - start)
            try:
                parts.append(module.generate(number, choose, bar).cpu().numpy())
            except AssertionError as error:  # of the decoder
                raise ValueError("no tokens have these bytes") from error
    return np.concatenate(parts)


def _rounded(log_probabilities):
    """Probabilities as the coder takes them: rows of whole numbers of grains."""
    return (log_probabilities.exp() / _GRAIN).round().cpu().numpy()


def _n_together(module):
    """Images that go on together: as many as keys and values of all sites allow."""
    numbers = 2 * module.space.n_sites * module.width * len(module.blocks)
    return max(1, BATCH_ENTRIES // numbers)


def _constriction():
    """Import the module of range coders, and make the family of models."""
    try:
        import constriction
    except ImportError as error:
        raise ImportError(
            "To compress codes takes constriction, a range coder: run `pip install "
            "sklearn-sparsevae[compression]`."
        ) from error
    family = constriction.stream.model.Categorical(perfect=False)
    return constriction.stream.queue, family
