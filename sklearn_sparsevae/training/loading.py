"""The order in which training goes through its items, batch by batch."""

import math

import numpy as np
import torch

from sklearn_sparsevae._ahead import ahead
from sklearn_sparsevae._ranks import part_of


class BatchLoader:
    """Goes through a data set once each time it is iterated over, batch by batch.

    Parameters
    ----------
    dataset : Dataset
        ``dataset.plan(indices)`` draws all that is random in a batch, in the order of
        the batches; ``dataset.make(plan)``, which draws nothing, returns it as skorch
        takes it: inputs and targets. A slice of a plan is that of a part of the batch.
        ``dataset.n_workers`` threads make batches ahead.
    batch_size : int
    shuffle : bool
        Another order every time, drawn from torch's generator.
    """

    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle

    def __len__(self):
        return math.ceil(len(self.dataset) / self.batch_size)

    def __iter__(self):
        # All plans first: how far ahead batches are made then changes nothing of what
        # the steps of training draw.
        plans = list(self.plans())
        return ahead(self.dataset.make, plans, self.dataset.n_workers)

    def sizes(self):
        """Return how many items batch after batch has, on all ranks together."""
        n_items, size = len(self.dataset), self.batch_size
        return [min(size, n_items - start) for start in range(0, n_items, size)]

    def plans(self):
        """Yield the plan of batch after batch: of the part that is this rank's.

        Whole batches are drawn, so that all ranks draw alike.
        """
        n_items = len(self.dataset)
        order = torch.randperm(n_items).numpy() if self.shuffle else np.arange(n_items)
        for start in range(0, n_items, self.batch_size):
            items = order[start : start + self.batch_size]
            yield self.dataset.plan(items)[part_of(len(items))]
