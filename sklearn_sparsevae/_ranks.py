"""Several processes that train one model: what they add up, draw and decide together.

Processes that torchrun or its like started are ranks of one process group of
`torch.distributed`. Inside `together` they share; everywhere else, and where there is
no group, each is the only rank, and every function here is the identity. So the code
that trains is the same for one process and for many.

A batch is cut into parts of consecutive images, one for each rank. Losses are means
over a part: what counts is their mean over the batch, weighted by `share`. A batch of
fewer images than there are ranks is not cut: all ranks compute all of it, and share
nothing meanwhile.

No rank waits for one that has failed: before anything is exchanged, ranks ask one
another whether all are well. One that failed answers this question on its way out of
`together`, and the others then raise an error that says so.

Longer than other modules because who shares, what, and how it ends are one protocol.
"""

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import distributed

# Set by launchers for the processes that they start, each of which sets some.
_LAUNCHED = ("TORCHELASTIC_RUN_ID", "ACCELERATE_MIXED_PRECISION", "WORLD_SIZE")


class _State(threading.local):
    """What this thread is doing."""

    depth = 0  # of `together`
    divides = False  # whether batches are divided
    n_images: int | None = None  # of the batch under way


_state = _State()
_busy = threading.Lock()
_warned: set[str] = set()
_told = threading.Event()  # the error on its way is known to all ranks
_lost = threading.Event()  # the connection is


# ---- who takes part -----------------------------------------------------------------


def n_ranks() -> int:
    """Return how many ranks share what this thread computes now."""
    n = _n_joined()
    images = _state.n_images
    return 1 if images is not None and images < n else n


def rank() -> int:
    """Return which of the ranks this is, from 0."""
    return distributed.get_rank() if _n_joined() > 1 else 0


def _n_joined():
    return distributed.get_world_size() if _state.depth else 1


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Share what the block computes with the other ranks, which run the same block.

    All leave it alike: an error on one rank is raised there, and a RuntimeError on the
    others (KeyboardInterrupt and FloatingPointError stay what they are). Blocks may be
    nested.
    """
    if not _state.depth and _join() == 1:
        yield
        return
    first = _state.depth == 0
    if first and not _busy.acquire(blocking=False):
        raise RuntimeError(
            "Two threads of a rank fit at the same time; expected one fit after "
            "another, in the same order on all ranks. Fit in one thread."
        )
    before = _state.divides, _state.n_images
    _state.depth += 1
    try:
        try:
            yield
        finally:
            _state.divides, _state.n_images = before
        _check()
    except BaseException as error:
        if not (_told.is_set() or _lost.is_set()):
            # The error of this rank is the one that counts, should the group be gone.
            with contextlib.suppress(Exception):
                _ask(error)
        raise
    finally:
        _told.clear()
        _state.depth -= 1
        if first:
            _busy.release()


def _join():
    """Return how many ranks there are, in a group that a launcher may have prepared."""
    if not distributed.is_available():
        return 1
    is_child = multiprocessing.parent_process() is not None
    if not distributed.is_initialized():
        size = os.environ.get("WORLD_SIZE", "1")
        if size.isdecimal() and int(size) > 1:
            return _start(size, is_child)
        if is_child or not any(name in os.environ for name in _LAUNCHED):
            return 1
    n = distributed.get_world_size() if distributed.is_initialized() else 1
    if n == 1:
        _warn_once(
            "A launch gave one process, which trains alone. For several, say how many: "
            "torchrun --nproc-per-node 2, or accelerate launch --multi_gpu "
            "--num_processes 2. For one, start the script with python."
        )
    return n


def _start(size, is_child):
    """Start the group that the environment describes, or say why there is none."""
    missing = {"RANK", "MASTER_ADDR", "MASTER_PORT"} - os.environ.keys()
    if is_child or missing:
        unset = f"{', '.join(sorted(missing))} are not set"
        why = "this process was started by one of them" if is_child else unset
        _warn_once(
            f"WORLD_SIZE={size} announces {size} ranks, but {why}, and it trains "
            "alone. Fit in the processes that torchrun starts (n_jobs=None in "
            "searches), or call torch.distributed.init_process_group first."
        )
        return 1
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        distributed.init_process_group("cpu:gloo,cuda:nccl")
    else:
        distributed.init_process_group("gloo")
    atexit.register(_end)
    return distributed.get_world_size()


def _end():
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _warn_once(text):
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, UserWarning, stacklevel=2)


# ---- batches ------------------------------------------------------------------------


@contextlib.contextmanager
def dividing_batches() -> Iterator[None]:
    """Inside the block `part_of` cuts batches; `begin_batch` says which is next."""
    before = _state.divides, _state.n_images
    _state.divides = True
    try:
        yield
    finally:
        _state.divides, _state.n_images = before


def part_of(n_images: int) -> slice:
    """Return which images of a batch are this rank's."""
    n, k = (_n_joined(), rank()) if _state.divides else (1, 0)
    if n_images < n:
        return slice(0, n_images)
    return slice(k * n_images // n, (k + 1) * n_images // n)


def begin_batch(n_images: int) -> None:
    """Take note that a batch of so many images, on all ranks together, is next."""
    _state.n_images = n_images


def n_images() -> int | None:
    """Return how many images the batch under way has, on all ranks together."""
    return _state.n_images


def share() -> float:
    """Part of the batch under way that is this rank's, of 1."""
    if n_ranks() == 1 or _state.n_images is None:
        return 1.0
    part = part_of(_state.n_images)
    return (part.stop - part.start) / _state.n_images


def n_rows(rows: torch.Tensor) -> int:
    """Return how many rows the batch has on all ranks, as this one has ``rows`` of it.

    Images have equally many.
    """
    return len(rows) if n_ranks() == 1 else _per_image(rows) * int(_state.n_images or 0)


def own_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows of this rank among those of the whole batch."""
    if n_ranks() == 1:
        return rows
    n_images = int(_state.n_images or 0)
    per, part = len(rows) // n_images, part_of(n_images)
    return rows[per * part.start : per * part.stop]


def draw_like(
    rows: torch.Tensor, draw: Callable[[torch.Tensor], torch.Tensor] = torch.randn_like
) -> torch.Tensor:
    """Draw for rows of a batch what one process would draw for these.

    Parameters
    ----------
    rows : (N, ...) tensor
    draw : callable
        Gets an empty tensor like the rows of the whole batch, and returns draws.
    """
    return own_rows(draw(rows.new_empty((n_rows(rows), *rows.shape[1:]))))


def take(rows: torch.Tensor, chosen: torch.Tensor | None = None) -> torch.Tensor:
    """Rows of the whole batch at indices, all of them for None; with their gradient.

    Parameters
    ----------
    rows : (N, ...) tensor
        Those of this rank.
    chosen : (M,) int tensor, default=None
        The same on all ranks.
    """
    if n_ranks() == 1:
        return rows if chosen is None else rows[chosen]
    first = _per_image(rows) * part_of(int(_state.n_images or 0)).start
    whole = rows.new_zeros((n_rows(rows), *rows.shape[1:]))
    whole[first : first + len(rows)] = rows
    return shared_sum(whole if chosen is None else whole[chosen])


def _per_image(rows):
    n_images = int(_state.n_images or 0)
    part = part_of(n_images)
    per, rest = divmod(len(rows), max(1, part.stop - part.start))
    if rest or not n_images:
        raise RuntimeError(
            f"{len(rows)} rows are not those of the {part.stop - part.start} images "
            f"that this rank has of a batch of {n_images}."
        )
    return per


# ---- sums and decisions -------------------------------------------------------------


def total(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Sum each tensor over the ranks, without gradient; the same result on all."""
    if n_ranks() == 1 or not tensors:
        return tensors
    exact = any(t.dtype not in (torch.float32, torch.bfloat16) for t in tensors)
    dtype = torch.float64 if exact else torch.float32
    flat = torch.cat([t.detach().to(dtype).reshape(-1) for t in tensors])
    parts = _reduce(flat).split([t.numel() for t in tensors])
    return tuple(
        part.view(t.shape).to(t.dtype) for part, t in zip(parts, tensors, strict=True)
    )


def batch_mean(*means: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Means over the batch, of those over the parts of the ranks; without gradient."""
    return total(*(share() * mean.detach() for mean in means))


def shared_sum(tensor: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over the ranks, with its gradient.

    Which is that of the sum of what all ranks differentiate.
    """
    return tensor if n_ranks() == 1 else _Sum.apply(tensor)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return _reduce(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _reduce(gradient)


def from_first(value: Any) -> Any:
    """Return the value that rank 0 has."""
    return gather(value if rank() == 0 else None)[0]


def gather(value: Any) -> list[Any]:
    """Return the values of all ranks, in their order."""
    n = n_ranks()
    if n == 1:
        return [value]
    values: list[Any] = [None] * n
    with _exchanging():
        distributed.all_gather_object(values, value)
    return values


def copy_from_first(tensors: list[torch.Tensor]) -> None:
    """Overwrite tensors by those of rank 0."""
    if n_ranks() == 1:
        return
    for tensor in tensors:
        moved = _movable(tensor.detach())
        with _exchanging():
            distributed.broadcast(moved, 0)
        tensor.detach().copy_(moved)


def _reduce(tensor):
    moved = _movable(tensor.detach())
    moved = moved.clone() if moved.data_ptr() == tensor.data_ptr() else moved
    with _exchanging():
        distributed.all_reduce(moved)
    return moved.to(tensor.device)


def _movable(tensor):
    """Contiguous tensor where the group can take it: nccl knows no CPU."""
    return tensor.contiguous().to(_carrier(tensor.device))


def _carrier(device):
    pairs = distributed.get_backend_config().split(",")
    known = {pair.split(":")[0] for pair in pairs}
    return device if device.type in known else torch.device(sorted(known)[0])


@contextlib.contextmanager
def _exchanging():
    """Exchange something, unless a rank has failed."""
    with _without_interrupts():
        _check()
        try:
            yield
        except RuntimeError as error:
            _lose(error)


def _check():
    """Raise an error if a rank has failed."""
    if answers := _ask():
        _told.set()
        _raise_for(answers)


def _ask(error=None):
    """Ask whether all ranks are well; None, or what stopped each, by rank.

    ``error`` is what has stopped this one.
    """
    failed = torch.tensor([error is not None], dtype=torch.int32)
    failed = failed.to(_carrier(failed.device))
    with _without_interrupts():
        try:
            distributed.all_reduce(failed)
            if not int(failed):
                return None
            answers = [None] * distributed.get_world_size()
            told = None if error is None else (_kind(error), _say(error))
            distributed.all_gather_object(answers, told)
        except RuntimeError as lost:
            _lose(lost)
    return {i: answer for i, answer in enumerate(answers) if answer is not None}


def _kind(error):
    kinds = KeyboardInterrupt, FloatingPointError
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), "")


def _say(error):
    text = f"{type(error).__name__}: {error}"
    return text if len(text) < 1000 else f"{text[:1000]}..."


def _raise_for(answers: dict[int, tuple[str, str]]) -> NoReturn:
    number, (kind, text) = next(iter(answers.items()))
    kinds = {k.__name__: k for k in (KeyboardInterrupt, FloatingPointError)}
    raise kinds.get(kind, RuntimeError)(
        f"Rank {number} of {distributed.get_world_size()} was stopped, and all ranks "
        f"with it, by {text}"
    )


def _lose(error: RuntimeError) -> NoReturn:
    _lost.set()
    raise RuntimeError(
        "The connection of the ranks broke: a process of the launch has ended, or "
        "ranks did not run the same fit. Look for the first error among their "
        f"messages and launch again. ({error})"
    ) from error


@contextlib.contextmanager
def _without_interrupts():
    """Let Ctrl-C wait: who leaves an exchange half-way leaves others waiting in it."""
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if before is None or not is_main:
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda *args: came.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])
