"""A discriminator that damages what it is shown, and also restores it.

Whoever damages an image knows what it was. So real and generated images alike have an
answer that is wanted: no difference between what was restored and what was shown.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.degrade import HOLE
from crnn_tutorial.metrics.pictures import psnr_per_image
from crnn_tutorial.network import heads
from crnn_tutorial.network.masks import register
from crnn_tutorial.tasks.restoration import enlarge_twice

KINDS = ("noise", "holes", "halving")


@register
class DamageAnew(layers.Layer):
    """Damage each image anew, in training and afterwards.

    ============= ==========================================================
    kind          amount
    ============= ==========================================================
    ``"noise"``   standard deviation of Gaussian noise, as a share of the
                  range from black to white, as in ``ct.degrade``
    ``"holes"``   side of a grey square at a random place, in pixels, as in
                  ``ct.degrade``
    ``"halving"`` None: each two by two pixels become one, their mean, and
                  the image is made twice as large again (bicubic)
    ============= ==========================================================

    Parameters
    ----------
    kind : str
        One of the table.
    amount : float or int, optional
        In the unit of the table.
    seed : int, optional
        Of the noise and of the places of the holes.

    Returns
    -------
    tensor
        ``(batch, height, width, channels)`` in [0, 1], as the images have it.

    Raises
    ------
    ValueError
        If there is no such kind or amount, or an image with odd sides is halved, or a
        hole is larger than the image.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.joint_restoration import DamageAnew
    >>> black = np.zeros((1, 8, 8, 1), "float32")
    >>> float(np.sum(DamageAnew("holes", 4)(black)))  # 16 pixels of grey 0.5
    8.0
    """

    def __init__(self, kind, amount=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, but got {kind!r}.")
        if kind == "holes":
            check_count("The side of a hole (amount)", amount)
        elif kind == "noise" and not (amount is not None and 0 <= amount <= 1):
            raise ValueError(
                "The amount of noise is a standard deviation from 0 to 1, such as "
                f"25 / 255, but got {amount!r}."
            )
        elif kind == "halving" and amount is not None:
            raise ValueError(f"Halving has no amount, but got {amount!r}.")
        self.kind, self.amount, self.seed = kind, amount, seed
        self.seeds = keras.random.SeedGenerator(seed)

    def build(self, shape):
        sides = shape[1:3]
        if self.kind == "halving" and any(side and side % 2 for side in sides):
            raise ValueError(f"Only even sides can be halved, but got {sides}.")
        if self.kind == "holes" and any(side and side < self.amount for side in sides):
            raise ValueError(
                f"A hole of {self.amount} pixels is larger than an image of {sides}."
            )

    def call(self, images):
        if self.kind == "noise":
            noise = keras.random.normal(ops.shape(images), seed=self.seeds)
            damaged = images + self.amount * noise
        elif self.kind == "holes":
            damaged = ops.where(self._inside(images), HOLE, images)
        else:
            batch, height, width, channels = ops.shape(images)
            blocks = (batch, height // 2, 2, width // 2, 2, channels)
            damaged = enlarge_twice(ops.mean(ops.reshape(images, blocks), (2, 4)))
        return ops.clip(damaged, 0.0, 1.0)

    def _inside(self, images):
        """Return where the hole of each image is: ``(batch, height, width, 1)``."""
        batch, *sides, _ = ops.shape(images)
        inside = True
        for axis, side in enumerate(sides, start=1):
            chance = keras.random.uniform((batch, 1, 1, 1), seed=self.seeds)
            start = ops.floor(chance * ops.cast(side - self.amount + 1, chance.dtype))
            shape = [1, 1, 1, 1]
            shape[axis] = -1
            place = ops.reshape(ops.arange(side, dtype=chance.dtype), shape)
            inside = inside & (place >= start) & (place < start + self.amount)
        return inside

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        own = {"kind": self.kind, "amount": self.amount, "seed": self.seed}
        return {**super().get_config(), **own}


@register
class Rounded(layers.Layer):
    """Bring each number to one of a few levels, which a file can hold.

    In training the gradient passes through the rounding as if it were not there.

    Parameters
    ----------
    levels : int
        How many there are, evenly from 0 to 1; a number costs at most ``log2(levels)``
        bits.

    Returns
    -------
    tensor
        Same shape as the numbers, which may be any: a sigmoid brings them to [0, 1].

    References
    ----------
    Theis et al., 2017, "Lossy image compression with compressive autoencoders",
    arXiv:1703.00395, for the gradient of the rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.joint_restoration import Rounded
    >>> np.array(Rounded(3)(np.array([-9.0, 0.1, 9.0]))).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, levels, **kwargs):
        super().__init__(**kwargs)
        self.levels = check_count("levels", levels, least=2)

    def call(self, numbers):
        share = ops.sigmoid(numbers)
        rounded = ops.round((self.levels - 1) * share) / (self.levels - 1)
        return share + ops.stop_gradient(rounded - share)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "levels": self.levels}


@register
class Difference(layers.Layer):
    """What was restored minus what was there, in grey levels.

    ``call(restored, images)`` takes two images of the same shape.

    Parameters
    ----------
    levels : int
        From black to white. (In grey levels the error is about as large a number as
        the loss of "real or generated" is.)

    Returns
    -------
    tensor
        As the images have it.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.joint_restoration import Difference
    >>> grey, black = np.full((1, 2, 2, 1), 0.5), np.zeros((1, 2, 2, 1))
    >>> float(np.max(Difference(16)(grey, black)))
    8.0
    """

    def __init__(self, levels=16, **kwargs):
        super().__init__(**kwargs)
        self.levels = check_count("levels", levels)

    def call(self, restored, images):
        return self.levels * (restored - images)

    def compute_output_shape(self, restored_shape, images_shape):
        return restored_shape

    def get_config(self):
        return {**super().get_config(), "levels": self.levels}


@heads.register(Difference)
@dataclass(frozen=True)
class NoDifference(heads.Head):
    """Restore what was damaged within the network: the wanted difference is nothing.

    Parameters
    ----------
    levels : int
        Grey levels from black to white.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.joint_restoration import NoDifference
    >>> wanted = NoDifference(16).encode(np.zeros((1, 8, 8, 1)))
    >>> NoDifference(16).per_image(wanted, wanted + 1.6).round(1).tolist()  # decibels
    [20.0]
    """

    levels: int = 16
    loss: ClassVar[str] = "mse"
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "PSNR"
    takes: ClassVar[str] = "differences"

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head."""
        return cls(layer.levels)

    def encode(self, targets):
        """Take zeros, or refuse what is no zero: the images are known to the network.

        Raises
        ------
        ValueError
            If any target is not 0.
        """
        targets = np.asarray(targets, "float32")
        if np.any(targets):
            raise ValueError(
                "The wanted difference is 0 for each pixel: pass "
                "np.zeros_like(images) as targets, not the images."
            )
        return targets

    def decode(self, outputs):
        """Return the differences as shares of the range from black to white."""
        return np.asarray(outputs) / self.levels

    def per_image(self, targets, outputs):
        """Score the peak signal-to-noise ratio of each image, in decibels."""
        return psnr_per_image(self.encode(targets), self.decode(outputs))
