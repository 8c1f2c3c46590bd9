"""Files of weights: found or downloaded, and read without running what is in them."""

import pathlib
import pickle

import torch


def weights_file(path, url):
    """Path of a file of weights: the one given, or a download kept in torch's cache.

    The file's name in ``url`` ends in the start of its SHA-256, which is checked.

    Raises
    ------
    OSError
        When it cannot be downloaded.
    """
    if path is not None:
        return path
    file = pathlib.Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(file), file.stem.split("-")[-1])
        except OSError as error:
            raise OSError(
                f"Could not download {url} ({error}). Fetch it elsewhere and give the "
                "path of the file as the network."
            ) from error
    return file


def read_weights(path):
    """Tensors by name from a file of ``torch.save``.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, or none of weights.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} is no file of weights; expected a dict of tensors that torch.save "
            "wrote."
        ) from error
    if not isinstance(state, dict):
        raise ValueError(
            f"{path} holds a {type(state).__name__}; expected a dict of tensors."
        )
    return state


def contents(state):
    """Say in a few words what weights hold."""
    first = ", ".join(map(str, list(state)[:2]))
    return f"{len(state)} entries ({first}, ...)"
