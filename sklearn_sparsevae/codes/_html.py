"""What a notebook shows of codes: a table, and what the first images look like.

Only the first few rows are looked at, so that it is as quick for large codes as for
small ones.
"""

import base64
import html
import io
import math

import numpy as np
from PIL import Image

from sklearn_sparsevae.codes._checks import check_pointers
from sklearn_sparsevae.codes._counts import are_counts

# Images that are looked at, and non-zeros from which there are enough of them.
_N_IMAGES, _N_NONZEROS = 4, 500_000
_N_COLORS = 96
# Pixels of the sides of a map, smallest and largest.
_SMALL, _LARGE = 96, 256
# From dark blue over green to yellow, which is legible in print and for most eyes.
_RAMP = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
_GOLDEN_ANGLE = 0.618034  # hues of neighbouring atoms that lie far apart


def table_of(codes):
    """Rows of the table, by name; all but the values are of all codes."""
    height, width = codes.grid_shape
    atoms = f"{codes.n_atoms}"
    if codes.n_mean_atoms:
        atoms += f", the first {codes.n_mean_atoms} for channel means"
    n_sites = codes.shape[0] * height * width
    nonzeros = f"{codes.nnz / max(1, n_sites):.4g}"
    rows = {
        "images": _with_shape(codes),
        "grid": f"{height} x {width} sites",
        "atoms": atoms,
        "non-zeros": f"{nonzeros} a site, {codes.nnz} in all",
    }
    few = first_rows(codes)
    if few.nnz:
        whole, n_few = few.shape[0] == codes.shape[0], few.shape[0]
        some = "" if whole else f" (first {n_few} images)"
        low, high = float(few.data.min()), float(few.data.max())
        rows["values"] = f"{low:.4g} to {high:.4g}{some}"
    rows["dtype"] = f"{codes.dtype}"
    rows["memory"] = size_of(codes)
    if codes.thumbnails is not None:
        n_rows, n_columns = codes.thumbnails.shape[1:3]
        rows["thumbnails"] = f"{n_rows} x {n_columns} pixels"
    return rows


def first_rows(codes):
    """Codes of the first few images, of at least one if there are any."""
    ends = codes.indptr[1 : 1 + _N_IMAGES]
    return codes[: max(1, int(np.searchsorted(ends, _N_NONZEROS, side="right")))]


def size_of(codes):
    """Memory of the arrays, in words."""
    arrays = (codes.data, codes.indices, codes.indptr, codes.thumbnails)
    size = sum(array.nbytes for array in arrays if array is not None)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"
        size /= 1000


def maps_of(codes):
    """Return what to draw of the sites of a few images, and what it is called.

    The number of non-zeros where that varies, else the norm of the codes, neither with
    the atoms of means; of codes that count atoms, the (first) atom of each site.

    Returns
    -------
    maps : ndarray of shape (n_images, h, w)
    name : str
    """
    sites, shape = codes.sites(), (codes.shape[0], *codes.grid_shape)
    if are_counts(codes):
        several = "first " if np.diff(sites.indptr).max() > 1 else ""
        atoms = sites.indices[sites.indptr[:-1]]
        return atoms.reshape(shape), f"{several}atom of each site"
    sites = sites[:, codes.n_mean_atoms :]
    counts = np.diff(sites.indptr)
    if np.ptp(counts):
        return counts.reshape(shape), "non-zeros of each site"
    squares = np.asarray(sites.multiply(sites).sum(axis=1, dtype=np.float64))
    return np.sqrt(squares).reshape(shape), "norm of the code of each site"


def picture_of(codes):
    """Draw maps of the sites below the thumbnails, and say what is drawn.

    Returns
    -------
    picture : Image or None
        None where there is nothing to see: vectors, or no non-zeros.
    caption : str
    """
    few = first_rows(codes)
    if math.prod(codes.grid_shape) == 1 or not few.data.any():
        return None, ""
    maps, name = maps_of(few)
    as_colors = _hues if "atom of" in name else _ramp
    rows = [as_colors(maps)]
    if few.thumbnails is not None:
        rows.insert(0, _as_rgb(few.thumbnails))
    height, width = _size_of_map(codes.grid_shape)
    tiles = [[_resized(tile, height, width) for tile in row] for row in rows]
    gap = 4
    size = (len(maps) * (width + gap) - gap, len(rows) * (height + gap) - gap)
    picture = Image.new("RGBA", size)
    for i, row in enumerate(tiles):
        for k, tile in enumerate(row):
            picture.paste(tile, (k * (width + gap), i * (height + gap)))
    if as_colors is _ramp:
        name += f", {maps.min():.3g} (dark) to {maps.max():.3g}"
    above = "Thumbnails, and below " if len(rows) == 2 else ""
    return picture, f"{above}{name}, of {len(maps)} of {codes.shape[0]} images"


def as_html(codes):
    """Table and picture of codes; of damaged ones what is wrong."""
    try:
        check_pointers(codes)
    except ValueError as error:
        return f"<p><b>{type(codes).__name__}</b>: {html.escape(str(error))}</p>"
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in table_of(codes).items()
    )
    picture, caption = picture_of(codes)
    figure = ""
    if picture is not None:
        figure = (
            "<figure style='margin:0'>"
            f"<img alt='{html.escape(caption)}' src='{_data_url(picture)}'>"
            f"<figcaption><small>{html.escape(caption)}</small></figcaption></figure>"
        )
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start'>"
        f"<div><b>{type(codes).__name__}</b><table>{rows}</table></div>{figure}</div>"
    )


def _with_shape(codes):
    shape = codes.image_shape
    of = "" if shape is None else f" of {' x '.join(map(str, shape[:2]))} pixels"
    return f"{codes.shape[0]}{of}"


def _data_url(picture):
    file = io.BytesIO()
    # Few colours take a third of the place, in notebooks that are kept with pictures.
    few_colors = picture.quantize(_N_COLORS, Image.Quantize.FASTOCTREE)
    few_colors.save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _size_of_map(grid_shape):
    """Height and width of a map in pixels: whole pixels a site, unless it is large."""
    long = max(grid_shape)
    scale = max(1, _SMALL // long) if long <= _LARGE else _LARGE / long
    return tuple(max(1, round(n * scale)) for n in grid_shape)


def _resized(tile, height, width):
    return Image.fromarray(tile).resize((width, height), Image.Resampling.NEAREST)


def _as_rgb(thumbnails):
    """Thumbnails of any number of channels in colours, or in grey."""
    if thumbnails.shape[-1] == 3:
        return thumbnails
    grey = thumbnails.mean(axis=-1, keepdims=True)
    return np.repeat(grey, 3, axis=-1).astype(np.uint8)


def _ramp(maps):
    """Colours of maps from their smallest number to their largest; of NaN as of 0."""
    maps = np.nan_to_num(maps)
    low, high = maps.min(), maps.max()
    place = (maps - low) / ((high - low) or 1) * (len(_RAMP) - 1)
    ramp = np.array(_RAMP).T
    colors = [np.interp(place, np.arange(len(_RAMP)), channel) for channel in ramp]
    return np.stack(colors, axis=-1).round().astype(np.uint8)


def _hues(maps):
    """Colours of atoms: always the same ones, and none like those of its neighbours."""
    hue = (maps * _GOLDEN_ANGLE) % 1
    waves = np.cos(2 * np.pi * (hue[..., None] - np.array([0, 1, 2]) / 3))
    return (150 + 90 * waves).round().astype(np.uint8)
