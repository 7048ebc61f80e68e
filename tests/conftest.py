"""On torch, let NumPy read a tensor that has a gradient, as on other backends."""

import os

if os.environ.get("KERAS_BACKEND") == "torch":
    import torch

    read = torch.Tensor.__array__

    def read_detached(self, dtype=None, copy=None):
        array = read(self.detach(), dtype)
        return array.copy() if copy else array

    torch.Tensor.__array__ = read_detached
