"""One class for an image that is read patch by patch: the article's "paragraphs"."""

import numpy as np
from keras import layers, ops

from crnn_tutorial.data.patches import check_patch_size
from crnn_tutorial.network import backbones
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.heads import Features
from crnn_tutorial.network.layers import PerFrame
from crnn_tutorial.network.masks import CHANNELS_LAST, register
from crnn_tutorial.tasks.classification import Classify


@register
class CutPatches(layers.Layer):
    """Cut images into patches that do not overlap: a sequence of small images.

    Parameters
    ----------
    patch_size : tuple of two ints
        ``(height, width)`` in pixels; they divide those of the image.
    order : sequence of int, optional
        Which patch, counted row by row, comes at each step. Row by row if it is None.

    Returns
    -------
    tensor
        ``(batch, patches, patch height, patch width, channels)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.patches import CutPatches
    >>> image = np.arange(8.0).reshape(1, 2, 4, 1)
    >>> np.array(CutPatches((2, 2))(image))[0, :, ..., 0].tolist()
    [[[0.0, 1.0], [4.0, 5.0]], [[2.0, 3.0], [6.0, 7.0]]]
    >>> np.array(CutPatches((1, 4), order=(1, 0))(image))[0, :, 0, :, 0].tolist()
    [[4.0, 5.0, 6.0, 7.0], [0.0, 1.0, 2.0, 3.0]]
    """

    def __init__(self, patch_size, order=None, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = tuple(patch_size)
        self.order = order and tuple(order)

    def call(self, images):
        batch, height, width, channels = ops.shape(images)
        tall, wide = self.patch_size
        rows, columns = height // tall, width // wide
        x = ops.reshape(images, (batch, rows, tall, columns, wide, channels))
        x = ops.swapaxes(x, 2, 3)  # (batch, rows, columns, tall, wide, channels)
        x = ops.reshape(x, (batch, rows * columns, tall, wide, channels))
        return x if self.order is None else ops.take(x, self.order, axis=1)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        tall, wide = self.patch_size
        return (batch, (height // tall) * (width // wide), tall, wide, channels)

    def get_config(self):
        own = {"patch_size": self.patch_size, "order": self.order}
        return {**super().get_config(), **own}


def build_patch_classifier(
    input_shape,
    num_classes=None,
    patch_size=8,
    *,
    order="rows",
    seed=0,
    filters=(16, 32),
    units=32,
    recurrence="lstm",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that reads an image patch by patch, as the article proposes.

    The image is cut into patches that do not overlap. Each is encoded by the same
    convolutions, which see nothing of its neighbours; the recurrence reads the
    patches; their average is classified.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``. A dataset says this, the number of classes, and
        what they are called.
    num_classes : int
        At least 2; None for a dataset.
    patch_size : int or tuple of two ints
        The side of a square patch, or ``(height, width)``, in pixels: divisors of
        those of the image.
    order : {"rows", "shuffled"}
        Where each patch stands when it is read: where it was, or, as a control, at a
        place drawn by chance, the same for all images. It is saved with the model.
    seed : int
        Draws the order.
    filters : sequence of int
        One block of convolution and pooling for each number, inside the patch; a side
        of one pixel is not halved any more.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        How the patches see each other: ``"lstm"`` (along the rows, then along the
        columns), ``"raster"`` (one LSTM over all patches, as the article has it), or
        one of the controls that ``connect_places`` names.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Images -> probabilities ``(batch, num_classes)``.

    Raises
    ------
    ValueError
        If an argument makes no sense, or a patch is larger than the image or does not
        divide it.

    References
    ----------
    The article's FAQ on "paragraph classification"; Visin et al., 2015, "ReNet",
    arXiv:1505.00393.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> model = ct.build_patch_classifier((64, 64, 1), num_classes=8, patch_size=16)
    >>> model.get_layer("cut_patches").output.shape
    (None, 16, 16, 16, 1)
    """
    image, *classes = begin(input_shape, num_classes)
    head = Classify(*classes)
    size = check_patch_size(patch_size)
    rows, columns = _count_patches(image.shape[1:3], size)
    filters = check_filters(filters, None, None)
    order = _draw_order(order, rows * columns, seed)
    x = CutPatches(size, order, name="cut_patches")(image)
    x = backbones.encode_frames(x, filters)
    x = PerFrame(layers.Flatten(**CHANNELS_LAST), name="flatten_patch")(x)
    x = layers.Reshape((rows, columns, x.shape[-1]), name="grid")(x)
    features = Features(backbones.connect_places(x, recurrence, units))
    return assemble(image, features, head, dropout, learning_rate)


def _count_patches(image_size, patch_size):
    if any(map(np.less, image_size, patch_size)):
        raise ValueError(
            f"A patch of {patch_size[0]} x {patch_size[1]} pixels (height x width) is "
            f"larger than the image, {image_size[0]} x {image_size[1]}."
        )
    for side, patch in zip(image_size, patch_size, strict=True):
        if side % patch:
            fit = [n for n in range(1, side + 1) if side % n == 0]
            raise ValueError(
                f"Patches of {patch_size[0]} x {patch_size[1]} pixels (height x width) "
                f"do not divide an image of {image_size[0]} x {image_size[1]}. For "
                f"{side} pixels a patch has {', '.join(map(str, fit))}; or resize the "
                "images (ct.resize_image)."
            )
    return tuple(n // k for n, k in zip(image_size, patch_size, strict=True))


def _draw_order(order, count, seed):
    if order not in ("rows", "shuffled"):
        raise ValueError(f'order is "rows" or "shuffled", but got {order!r}.')
    if order == "rows":
        return None
    return np.random.default_rng(seed).permutation(count).tolist()
