"""The article's own code, as it stands there: what the book repairs, and why.

Nothing here is meant for use. The chapters run these functions to show which line
fails and with what message; the working ones are ``ct.resize_image``,
``ct.build_crnn_model`` and ``ct.train_crnn_model``.
"""

from keras import Sequential, layers, losses, optimizers
from PIL import Image


def resize_image(image_path, size):
    """Resize an image as the article does (section 4.1): fails on Pillow 10 and later.

    Parameters
    ----------
    image_path : str
        A picture file.
    size : tuple of int
        ``(width, height)`` in pixels.

    Returns
    -------
    PIL.Image.Image
        Never: ``Image.ANTIALIAS`` was removed from Pillow.

    Raises
    ------
    AttributeError
        Always, since Pillow 10.

    Examples
    --------
    >>> from crnn_tutorial import article
    >>> article.resize_image("photo.png", (64, 64))
    Traceback (most recent call last):
    AttributeError: module 'PIL.Image' has no attribute 'ANTIALIAS'
    """
    how = Image.ANTIALIAS
    return Image.open(image_path).resize(size, how)


def build_crnn_model(input_shape, num_classes, joint="flatten"):
    """Stack the article's layers (section 4.2), with one of four joints to the LSTM.

    Parameters
    ----------
    input_shape : tuple of int
        ``(height, width, channels)``; the article has (64, 64, 3).
    num_classes : int
        Number of classes.
    joint : {"flatten", "one_step", "no_permute", "columns"}
        ``"flatten"`` is the article's own; ``"one_step"`` the repair that is found
        everywhere, ``Reshape((1, -1))``; ``"no_permute"`` a reshape to as many steps as
        the map has columns, without turning the axes first; ``"columns"`` is right.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        With ``"flatten"`` always: an LSTM wants three axes and gets two. With the
        others when the image is smaller than 22 x 22.
    KeyError
        If ``joint`` is another word.

    Examples
    --------
    >>> from crnn_tutorial import article
    >>> article.build_crnn_model((64, 64, 3), 10, joint="columns").output_shape
    (None, 10)
    """
    model = Sequential(name=joint)
    model.add(layers.Input(input_shape))
    for filters in (32, 64, 128):
        model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
        model.add(layers.MaxPooling2D((2, 2)))
    _, height, width, channels = model.output_shape  # 6 x 6 x 128 from 64 x 64
    joints = {
        "flatten": [layers.Flatten()],
        "one_step": [layers.Reshape((1, -1))],
        "no_permute": [layers.Reshape((width, height * channels))],
        "columns": [
            layers.Permute((2, 1, 3)),
            layers.Reshape((width, height * channels)),
        ],
    }
    for layer in joints[joint]:
        model.add(layer)
    model.add(layers.LSTM(128))
    model.add(layers.Dense(num_classes, activation="softmax"))
    return model


def train_crnn_model(model, train_images, train_labels, batch_size, epochs):
    """Train a model as the article does (section 4.3): fails before the first step.

    Parameters
    ----------
    model : keras.Model
        Not compiled.
    train_images, train_labels : numpy.ndarray
        Pictures and integer labels.
    batch_size, epochs : int
        As in ``fit``.

    Raises
    ------
    ValueError
        Always: Keras 3 does not know ``lr``. (Behind it waits a reshape to 64 x 64 x 3,
        whatever the pictures are, and a name that nobody defined.)

    Examples
    --------
    >>> from crnn_tutorial import article
    >>> article.train_crnn_model(None, [], [], 32, 10)
    Traceback (most recent call last):
    ValueError: Argument(s) not recognized: {'lr': 0.001}
    """
    optimizer = optimizers.Adam(lr=0.001)
    model.compile(optimizer, loss=losses.CategoricalCrossentropy())
    train_images = train_images.reshape((-1, 64, 64, 3))
    train_labels = to_one_hot(train_labels)
    model.fit(train_images, train_labels, batch_size, epochs)


def to_one_hot(labels):
    """Turn labels into one-hot rows as the article does: ``num_classes`` is undefined.

    Parameters
    ----------
    labels : numpy.ndarray
        Integer labels.

    Raises
    ------
    NameError
        Always.

    Examples
    --------
    >>> from crnn_tutorial import article
    >>> article.to_one_hot([0, 1])
    Traceback (most recent call last):
    NameError: name 'num_classes' is not defined
    """
    from keras.utils import to_categorical

    return to_categorical(labels, num_classes)  # noqa: F821
