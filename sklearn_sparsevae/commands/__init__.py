"""The command line: folders in, folders out."""

from sklearn_sparsevae.commands import _coding, _restoring, _segmenting, _training
from sklearn_sparsevae.commands._program import program

__all__ = ["program"]

for _command in (
    _restoring.denoise,
    _segmenting.segment,
    _training.fit,
    _coding.encode,
    _coding.decode,
):
    program.add_command(_command)
