"""A whole CRNN in NumPy: the article's six steps, forward and backward."""

import numpy as np

from crnn_tutorial.equations import pooling
from crnn_tutorial.equations.convolution import conv2d, conv2d_backward
from crnn_tutorial.equations.dense import (
    cross_entropy,
    cross_entropy_backward,
    dense,
    dense_backward,
    relu,
    relu_backward,
    softmax,
)
from crnn_tutorial.equations.recurrence import lstm, lstm_backward
from crnn_tutorial.equations.shapes import check_shapes, shaped


@shaped(features="batch height width c")
def map_to_sequence(features):
    r"""Cut a feature map into a sequence: one step for each column.

    .. math::

        s_{b,\,w,\,(h,c)} = x_{bhwc}

    Parameters
    ----------
    features : array
        ``(batch, height, width, channels)``.

    Returns
    -------
    numpy.ndarray
        ``(batch, width, height * channels)``: column ``w`` is step ``w``, its rows
        one after the other.

    Raises
    ------
    ValueError
        If there are not four axes.

    References
    ----------
    Shi, Bai and Yao, 2015, section 2.2. The article has no such step.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> columns = np.tile(np.arange(4.0), (3, 1))[None, :, :, None]
    >>> ct.equations.map_to_sequence(columns)[0, 2]  # step 2 knows column 2 only
    array([2., 2., 2.])
    """
    batch, _, width, _ = features.shape
    return features.transpose(0, 2, 1, 3).reshape(batch, width, -1)


def map_to_sequence_backward(gradient, height):
    """Put the gradient of a sequence back into the map.

    Parameters
    ----------
    gradient : array
        ``(batch, width, height * channels)``.
    height : int
        Of the map.

    Returns
    -------
    numpy.ndarray
        ``(batch, height, width, channels)``.

    Raises
    ------
    ValueError
        If the features are no multiple of the height.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.equations import map_to_sequence, map_to_sequence_backward
    >>> features = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    >>> back = map_to_sequence_backward(map_to_sequence(features), height=3)
    >>> bool((back == features).all())
    True
    """
    [g] = check_shapes(
        "map_to_sequence_backward", gradient=(gradient, f"batch width {height}*c")
    )
    batch, width, _ = g.shape
    return g.reshape(batch, width, height, -1).transpose(0, 2, 1, 3)


class Convolution:
    """A convolution, then ReLU."""

    parameters = 2

    def __init__(self, stride=1, padding="valid"):
        self.settings = {"stride": stride, "padding": padding}

    def forward(self, x, kernel, bias):
        """Return the feature map."""
        self.x, self.kernel = x, kernel
        self.before = conv2d(x, kernel, bias, **self.settings)
        return relu(self.before)

    def backward(self, gradient):
        """Return the gradient of the input and those of the weights."""
        gradient = relu_backward(gradient, self.before)
        return conv2d_backward(gradient, self.x, self.kernel, **self.settings)


class Pooling:
    """Max or average pooling."""

    parameters = 0

    def __init__(self, kind, pool=2, stride=None, padding="valid"):
        self.settings = {"pool": pool, "stride": stride, "padding": padding}
        self.pool = getattr(pooling, f"{kind}_pool2d")
        self.back = getattr(pooling, f"{kind}_pool2d_backward")

    def forward(self, x):
        """Return the smaller map."""
        self.x = x
        return self.pool(x, **self.settings)

    def backward(self, gradient):
        """Return the gradient of the input."""
        return (self.back(gradient, self.x, **self.settings),)


class Joint:
    """The columns of a map as the steps of a sequence."""

    parameters = 0

    def forward(self, x):
        """Return the sequence."""
        self.height = x.shape[1]
        return map_to_sequence(x)

    def backward(self, gradient):
        """Return the gradient of the map."""
        return (map_to_sequence_backward(gradient, self.height),)


class Recurrence:
    """An LSTM that returns its last state, or all of them."""

    parameters = 3

    def __init__(self, every_step=False):
        self.every_step = every_step

    def forward(self, x, kernel, recurrent_kernel, bias):
        """Return the states."""
        self.arguments = x, kernel, recurrent_kernel, bias
        self.states = lstm(*self.arguments).h
        return self.states if self.every_step else self.states[:, -1]

    def backward(self, gradient):
        """Return the gradient of the sequence and those of the weights."""
        if not self.every_step:
            last, gradient = gradient, np.zeros_like(self.states)
            gradient[:, -1] = last  # the other states were not asked
        return lstm_backward(gradient, *self.arguments)


class Scores:
    """A dense layer: the logits, one score for each class."""

    parameters = 2

    def forward(self, x, kernel, bias):
        """Return the scores."""
        self.x, self.kernel = x, kernel
        return dense(x, kernel, bias)

    def backward(self, gradient):
        """Return the gradient of the input and those of the weights."""
        return dense_backward(gradient, self.x, self.kernel)


class CRNN:
    """Convolve, pool, read as a sequence, score: forward, loss and every gradient.

    Parameters
    ----------
    layers : dict
        Name -> one of this module's layers, in order; the last one is `Scores`.
    weights : list of array
        The layers' weights one after the other, in Keras' order. Replace the list
        after a step of an optimiser: ``network.weights = sgd_step(...)``.

    Raises
    ------
    ValueError
        If the number of weights does not fit the layers.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.equations import CRNN
    >>> from crnn_tutorial.equations.network import Joint, Recurrence, Scores
    >>> random = np.random.default_rng(0).normal
    >>> network = CRNN(
    ...     {"map_to_sequence": Joint(), "lstm": Recurrence(), "dense": Scores()},
    ...     [random(size=s) for s in [(8, 12), (3, 12), 12, (3, 10), 10]])
    >>> passed = network.forward(np.zeros((2, 8, 8, 1)))
    >>> {name: value.shape for name, value in passed.items()}
    {'images': (2, 8, 8, 1), 'map_to_sequence': (2, 8, 8), 'lstm': (2, 3),
     'logits': (2, 10), 'probabilities': (2, 10)}
    """

    def __init__(self, layers, weights):
        self.layers = layers
        self.weights = [np.asarray(weight) for weight in weights]
        expected = sum(layer.parameters for layer in layers.values())
        if len(self.weights) != expected:
            raise ValueError(
                f"CRNN: {list(layers)} need {expected} arrays of weights, "
                f"but {len(self.weights)} came."
            )

    @classmethod
    def from_keras(cls, model):
        """Copy a Keras model: a chain of the layers of this module.

        Parameters
        ----------
        model : keras.Model
            Conv2D (ReLU), MaxPooling2D, AveragePooling2D, MapToSequence, LSTM and one
            Dense (softmax) at the end, one after the other.

        Returns
        -------
        CRNN
            With copies of the weights: training one does not change the other.

        Raises
        ------
        ValueError
            If there is another layer, or one with another setting.
        """
        layers = {
            layer.name: _from_keras(layer)
            for layer in model.layers
            if type(layer).__name__ != "InputLayer"
        }
        kinds = [type(layer) for layer in layers.values()]
        if Scores in kinds[:-1] or kinds[-1:] != [Scores]:
            raise ValueError(
                "CRNN.from_keras: one Dense layer, with softmax, must stand at the "
                f"end, but the layers are {list(layers)}."
            )
        return cls(layers, model.get_weights())

    def forward(self, images):
        """Send images through every layer.

        Parameters
        ----------
        images : array
            ``(batch, height, width, channels)``.

        Returns
        -------
        dict
            Name -> array, in order: ``"images"``, one entry for each layer, and at
            the end ``"logits"`` and ``"probabilities"``, ``(batch, classes)``.
        """
        x = np.asarray(images)
        passed, weights = {"images": x}, iter(self.weights)
        for name, layer in self.layers.items():
            x = layer.forward(x, *(next(weights) for _ in range(layer.parameters)))
            passed["logits" if isinstance(layer, Scores) else name] = x
        return passed | {"probabilities": softmax(x)}

    def loss(self, images, labels):
        """Return the mean cross-entropy.

        Parameters
        ----------
        images : array
            ``(batch, height, width, channels)``.
        labels : array of int
            ``(batch,)``.

        Returns
        -------
        float
            In nats.
        """
        return cross_entropy(self.forward(images)["logits"], labels)

    def gradients(self, images, labels):
        """Return the gradient of the loss with respect to every weight.

        The layers are walked through backwards. Each one takes the gradient of what
        it returned and gives the gradient of what it got, and those of its weights.

        Parameters
        ----------
        images : array
            ``(batch, height, width, channels)``.
        labels : array of int
            ``(batch,)``.

        Returns
        -------
        list of numpy.ndarray
            One for each of `weights`, of the same shape.
        """
        logits = self.forward(images)["logits"]
        gradient = cross_entropy_backward(logits, labels)
        found = []
        for layer in reversed(self.layers.values()):
            gradient, *of_weights = layer.backward(gradient)
            found = of_weights + found
        return found


# What a Keras layer must be set to, if it has this setting, or our twin would compute
# something else.
SETTINGS = {
    "data_format": "channels_last",
    "use_bias": True,
    "dilation_rate": (1, 1),
    "groups": 1,
    "along": "width",
    "recurrent_activation": "sigmoid",
    "dropout": 0,
    "recurrent_dropout": 0,
    "go_backwards": False,
    "return_state": False,
}
ACTIVATIONS = {"Conv2D": "relu", "LSTM": "tanh", "Dense": "softmax"}
TWINS = {
    "Conv2D": lambda layer: Convolution(layer.strides, layer.padding),
    "MaxPooling2D": lambda layer: Pooling("max", *_windows(layer)),
    "AveragePooling2D": lambda layer: Pooling("average", *_windows(layer)),
    "MapToSequence": lambda layer: Joint(),
    "LSTM": lambda layer: Recurrence(layer.return_sequences),
    "Dense": lambda layer: Scores(),
}


def _windows(layer):
    return layer.pool_size, layer.strides, layer.padding


def _from_keras(layer):
    """Return our twin of a Keras layer."""
    kind, settings = type(layer).__name__, layer.get_config()
    if kind not in TWINS:
        raise ValueError(
            f"CRNN.from_keras: {layer.name} is a {kind}; it can copy {list(TWINS)}."
        )
    for name, value in {**SETTINGS, "activation": ACTIVATIONS.get(kind)}.items():
        if settings.get(name, value) != value:
            raise ValueError(
                f"CRNN.from_keras: {layer.name} has {name}={settings[name]!r}; "
                f"it can copy {name}={value!r} only."
            )
    return TWINS[kind](layer)
