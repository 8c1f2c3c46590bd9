"""A trained model as an ONNX graph: images in, reconstructions and dense codes out."""

import contextlib
import copy
import logging
import warnings

import torch
from torch import nn

from sklearn_sparsevae._files import written_aside
from sklearn_sparsevae.bottlenecks import CompactCodes
from sklearn_sparsevae.sparse.tracing import recording, tracing
from sklearn_sparsevae.training.autoencoder import channels_first, channels_last
from sklearn_sparsevae.training.closed_loop import Transcription


class Graph(nn.Module):
    """What is recorded: everything between arrays as users have them.

    Parameters
    ----------
    module : Autoencoder
    layout : Layout
        With the size of the images that the graph is for.
    limits : tuple of float (low, high), or None
        Range of the images; None takes them as they are.
    outputs : sequence of {"reconstruction", "codes"}
    """

    def __init__(self, module, layout, limits, outputs):
        super().__init__()
        self.module, self.layout, self.limits = module, layout, limits
        self.outputs = outputs

    def forward(self, images):
        """Return the outputs asked for, in their order."""
        height, width, n_channels = self.layout.image_shape
        unit = images.reshape(-1, height, width, n_channels)
        if self.limits not in (None, (0, 1)):
            low, high = self.limits
            unit = (unit - low) / (high - low)
        unit = self.module.pad(channels_first(unit))
        codes, latents = self._code(self.module.latents(unit))
        found = {"codes": codes}
        if "reconstruction" in self.outputs:
            output = self.module.images(latents)[..., :height, :width]
            found["reconstruction"] = self._restore(channels_last(output))
        return tuple(found[name] for name in self.outputs)

    @property
    def grid_shape(self):
        """Sites ``(h, w)`` of an image; features are of one site."""
        if isinstance(self.module, Transcription):
            return 1, 1
        side = self.module.site_size
        return tuple(-(-length // side) for length in self.layout.image_shape[:2])

    def _code(self, latents):
        """Dense codes, and the latents that they decode to."""
        bottleneck = self.module.bottleneck
        if isinstance(self.module, Transcription):  # latents are features, and codes
            return latents, latents
        codes = bottleneck.encode(latents)
        if isinstance(codes, CompactCodes):
            codes = _written_out(codes, bottleneck.n_components)
        return codes, bottleneck.decode(codes)

    def _restore(self, images):
        if self.limits is not None:
            low, high = self.limits
            images = images.clamp(0, 1)
            if (low, high) != (0, 1):
                images = images * (high - low) + low
        return self.layout.restore(images)


def _written_out(codes, n_components):
    """Dense codes ``(n, h, w, K)``; the values of atoms that repeat add up."""
    indices, values = codes.indices.clamp(min=0), codes.values
    dense = values.new_zeros(*values.shape[:3], n_components)
    return dense.scatter_add(3, indices, values)


def write_graph(graph, path, metadata):
    """Trace a graph and write it to a file of ONNX.

    Parameters
    ----------
    graph : Graph
    path : str or path-like
        Where to write; what is there is replaced once the new file is complete.
    metadata : dict of {str: str}

    Raises
    ------
    ImportError
        Without the libraries that write ONNX.
    """
    _check_libraries()
    # Without gradients: loops would be traced with their backward pass.
    graph = copy.deepcopy(graph).cpu().eval().requires_grad_(False)
    graph.module.precision = "float32"
    height, width, n_channels = graph.layout.image_shape
    # Two images: what is so of one alone would be traced as so of all.
    example = torch.full((2, height, width, n_channels), 0.5)
    example, constants = graph.layout.restore(example), []
    with _quiet(), torch.no_grad():
        with recording(constants):
            graph(example)
        with tracing(constants):
            traced = torch.export.export(
                graph,
                (example,),
                dynamic_shapes=({0: torch.export.Dim("n")},),
                strict=False,
            )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            input_names=["images"],
            output_names=list(graph.outputs),
            verbose=False,
        )
    _strip(program.model)
    program.model.metadata_props.update(metadata)
    with written_aside(path) as part:
        program.save(part)


def _check_libraries():
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "To write ONNX takes onnx and onnxscript: run `pip install "
            "'sklearn-sparsevae[onnx]'`."
        ) from error


@contextlib.contextmanager
def _quiet():
    """Keep to itself what torch says of its own parts while it exports."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _strip(model):
    """Drop what the exporter notes of each step, paths of this machine included."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
