"""Where and how numbers are computed: device and precision."""

import contextlib

import torch

PRECISIONS = {"float32": None, "bf16": torch.bfloat16}


def resolve_device(device: str) -> torch.device:
    """Return the device named; ``"auto"`` takes the GPU when there is one.

    Raises
    ------
    ValueError
        When the device is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} is not available here ({error}). Use 'auto' or 'cpu'."
        ) from error
    return resolved


def autocast(device: torch.device, precision: str):
    """Context in which a network runs at the named precision."""
    dtype = PRECISIONS[precision]
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)
