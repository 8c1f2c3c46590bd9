"""A folder of 300 photos from files to masks: load, encode, cluster, write.

JPEG files of 400x300 pixels, as squares of 256; SparseCodingVAE, spectral segmentation
into 3 clusters, one PNG file each. Blocks of photos go through the stages at the same
time: threads read ahead of the encoder, processes segment a block while the next one
is encoded, and masks are written meanwhile (`iter_predict` of `iter_transform`). A
round is 60 photos of one run.

What counts is the whole: how many of the cores have something to do, see `_cores`. Each
stage is then run by itself, one after the other, to say what part of the work it is and
how many cores it would keep busy alone.
"""

import os
import pathlib
import tempfile
import time

from joblib.externals.loky import get_reusable_executor

from rows._contenders import peak_growth
from rows._cores import Cores
from rows._results import Check, Figure, Result
from rows.photos import SIDE, write_photos
from rows.segmentation import N_CLUSTERS, make_encoder
from sklearn_sparsevae import SpectralSegmenter
from sklearn_sparsevae.datasets import load_image_folder, save_masks

N_PHOTOS, N_AT_ONCE = 300, 60


class Chain:
    """The stages, together and one by one."""

    def __init__(self, folder, threads):
        self.folder = pathlib.Path(folder)
        write_photos(self.folder, N_PHOTOS)
        photos = load_image_folder(self.folder, size=SIDE)
        self.images, self.names = photos.images, photos.names
        self.encoder = make_encoder().set_params(n_workers=threads)
        self.segmenter = SpectralSegmenter(N_CLUSTERS, n_jobs=threads, random_state=0)
        self.segmenter.fit(self.encoder.transform(self.images[:4]))

    def together(self):
        """Take all photos to masks; return the seconds of every round."""
        start, done, seconds = time.perf_counter(), 0, []
        blocks = self.encoder.iter_transform(self.images)
        for masks in self.segmenter.iter_predict(blocks):
            save_masks(
                self.folder / "masks", self.names[done : done + len(masks)], masks
            )
            done += len(masks)
            if done >= N_AT_ONCE * (len(seconds) + 1):
                seconds.append(time.perf_counter() - start)
                start = time.perf_counter()
        return seconds

    def one_by_one(self, cores):
        """Yield name, seconds and share of the cores of each stage, on one round."""
        names = self.names[:N_AT_ONCE]
        value = self.images[:N_AT_ONCE]
        stages = {
            "load": lambda images: list(images),
            "encode": lambda images: self.encoder.transform(images),
            "cluster": self.segmenter.predict,
            "write": lambda masks: save_masks(self.folder / "alone", names, masks),
        }
        for name, stage in stages.items():
            start = time.perf_counter()
            cores.busy()
            value = stage(value)
            yield name, time.perf_counter() - start, cores.busy()


def measure():
    """Results of this row."""
    threads, rounds = int(os.environ["OMP_NUM_THREADS"]), []
    with tempfile.TemporaryDirectory() as folder, Cores(threads) as cores:
        chain = Chain(folder, threads)
        cores.busy()
        memory = peak_growth(lambda: rounds.extend(chain.together()))
        busy = cores.busy()
        alone = list(chain.one_by_one(cores))
    get_reusable_executor().shutdown()  # or this process waits until they tire
    whole = Figure("all stages", rounds, N_AT_ONCE, memory)
    check = Check("folder, cores with something to do", busy, at_least=0.9)
    results = [Result("folder of photos", "photos/s", whole, checks=(check,))]
    total = sum(seconds for _, seconds, _ in alone)
    for name, seconds, share in alone:
        ours = Figure(name, [seconds], N_AT_ONCE)
        results.append(Result(f"folder, {name} alone", "photos/s", ours))
        line = f"{seconds / total:.0%} of the time, {share:.2f} of the cores"
        print(f"folder, {name} alone: {line}", flush=True)
    return results
