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


def fast_precision(device: str) -> str:
    """Return ``"bf16"`` where a device has it in hardware, otherwise ``"float32"``."""
    if resolve_device(device).type != "cpu":
        return "bf16" if torch.cuda.is_bf16_supported() else "float32"
    # Asked of torch.cpu, which names the question with an underscore so far.
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bf16" if has_tiles() else "float32"
