"""Put a backbone and a head together: a model compiled and ready for ``fit``."""

import numbers
from pathlib import Path

import keras

from crnn_tutorial.data.files import check_zip
from crnn_tutorial.data.splits import Dataset, Split
from crnn_tutorial.network import backbones
from crnn_tutorial.network.heads import Several, load_tasks

# What an input_shape says, with an example for the messages.
IMAGE = {"height": 28, "width": 28, "channels": 1}


def load_model(path):
    """Load a model that was saved with ``model.save("name.keras")``.

    Where Keras itself is to load it, with ``keras.models.load_model``, import
    ``crnn_tutorial.network.layers`` first: Keras then knows our layers and metrics.

    Parameters
    ----------
    path : str or path
        A ``.keras`` file.

    Returns
    -------
    keras.Model
        Compiled as it was saved; it predicts the same numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no ``.keras`` file, or a damaged one.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import crnn_tutorial as ct
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "digits.keras"
    >>> ct.build_crnn_model((8, 8, 1), num_classes=10).save(path)
    >>> ct.load_model(path).output_shape
    (None, 10)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. Save a model first: model.save('name.keras')."
        )
    try:
        check_zip(path)
    except ValueError as error:
        raise ValueError(
            f"{path.name} is no .keras file (it is damaged or of another format). "
            "Save the model with model.save('name.keras')."
        ) from error
    load_tasks()
    try:
        return keras.saving.load_model(path)
    except MemoryError:
        raise
    except Exception as error:  # Keras lets nearly any type out
        reason = (str(error) or type(error).__name__).split("\n")[0]
        raise ValueError(
            f"{path.name} cannot be loaded: it is no .keras file, it is damaged, or it "
            f"needs a class that is not registered ({reason:.300}). Save the model "
            "with model.save('name.keras')."
        ) from error


def assemble(inputs, features, head, dropout=0.0, learning_rate=1e-3):
    """Put a head on the features of a backbone, and compile the model.

    Parameters
    ----------
    inputs : keras.KerasTensor
        What the model takes.
    features : Features
        From a backbone.
    head : Head, or dict of Head
        Several heads have names: the model then returns a dict, and its targets are
        one. Two heads of one task do not go together: their layers have the same names.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Compiled with the loss and the metrics of the head.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.network import backbones
    >>> from crnn_tutorial.network.assemble import assemble
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> image = keras.Input((16, 64, 1))
    >>> features = backbones.columns(image, (8, 16), units=4)
    >>> assemble(image, features, Classify(10)).output_shape
    (None, 10)
    """
    head = Several(head) if isinstance(head, dict) else head
    model = keras.Model(inputs, head(features, dropout))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        jit_compile=_jit_compile(),
        **head.compiled(),
    )
    # Otherwise a model saved before its first training loads with a warning.
    model.optimizer.build(model.trainable_variables)
    return model


def _jit_compile():
    # TensorFlow's compiler makes small models about twice slower on a CPU. (Nobody
    # else is asked for a GPU: without one, JAX answers with an error.)
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return "auto" if keras.distribution.list_devices("gpu") else False


def check_shape(input_shape, example, free=()):
    """As whole numbers; the axes called ``free`` may be None, which is any size."""
    shape = whole_numbers(input_shape)
    right = len(shape) == len(example) and all(
        n is not None or (name in free and given is None)
        for n, name, given in zip(shape, example, input_shape, strict=True)
    )
    if not right:
        names = [f"{name} or None" if name in free else name for name in example]
        raise ValueError(
            f"input_shape is ({', '.join(names)}), whole numbers such as "
            f"{tuple(example.values())}, but got {input_shape!r}. The size of a batch "
            "is no part of it."
        )
    return shape


def whole_numbers(values):
    """As a tuple, empty if it is none, with None for what is no number above 0."""
    values = values if isinstance(values, (tuple, list)) else ()
    return tuple(int(n) if _is_count(n) else None for n in values)


def _is_count(value):
    return isinstance(value, numbers.Integral) and value > 0


def check_filters(filters, height, width):
    """As whole numbers, by default as many as the image bears; or say what is wrong."""
    if filters is None:
        filters = backbones.default_filters(height, width or height)
    counts = whole_numbers(filters)
    if not counts or None in counts:
        raise ValueError(
            "filters are whole numbers above 0, one for each block, such as (32, 64), "
            f"but got {filters!r}."
        )
    backbones.require_size(height, width, len(counts))
    return counts


def begin(input_shape, num_classes, *examples, free=()):
    """Return a model's input and its classes, from numbers or from a dataset.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        What the model takes, without the batch.
    num_classes : int or None
        None where a dataset says it.
    *examples, free
        What the shape may be (an image's by default), and which axes may have any size.

    Returns
    -------
    keras.KerasTensor
        The input, called ``image`` or ``clip``.
    int or None
        The number of classes.
    tuple of str or None
        What they are called.

    Raises
    ------
    ValueError
        If the shape is none, or a dataset has another number of classes.

    Examples
    --------
    >>> from crnn_tutorial.network.assemble import begin
    >>> image, num_classes, names = begin((28, None, 1), 10, free=("width",))
    >>> image.name, tuple(image.shape), num_classes, names
    ('image', (None, 28, None, 1), 10, None)
    """
    if isinstance(input_shape, Split):
        raise ValueError("A split does not name its classes: pass the whole dataset.")
    names = None
    if isinstance(input_shape, Dataset):
        names = tuple(map(str, input_shape.class_names))
        if num_classes not in (None, len(names)):
            raise ValueError(
                f"The dataset has {len(names)} classes, but num_classes is "
                f"{num_classes}: leave it out."
            )
        input_shape, num_classes = input_shape.input_shape, len(names)
    rank = len(input_shape) if isinstance(input_shape, tuple | list) else 0
    examples = examples or (IMAGE,)
    example = next((one for one in examples if len(one) == rank), examples[0])
    name = "clip" if "frames" in example else "image"
    shape = check_shape(input_shape, example, free)
    return keras.Input(shape, name=name), num_classes, names


def begin_with_patches(input_shape, num_classes, filters, units, recurrence):
    """Return the input, its features and its classes, for a model that keeps a map.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``; height and width may be None: any size.
    num_classes : int or None
        None where a dataset says it.
    filters : sequence of int
        One block for each number; the image must bear them.
    units, recurrence
        As in `backbones.patches`.

    Returns
    -------
    keras.KerasTensor
        The input.
    Features
        A map, with its skips.
    int or None
        The number of classes.
    tuple of str or None
        What they are called.

    Raises
    ------
    ValueError
        If they make no sense together.

    Examples
    --------
    >>> from crnn_tutorial.network.assemble import begin_with_patches
    >>> _, features, *_ = begin_with_patches((None, 64, 3), 5, (8, 16), 4, "lstm")
    >>> features.map.shape, len(features.skips)
    ((None, None, 16, 8), 2)
    """
    image, *classes = begin(input_shape, num_classes, free=("height", "width"))
    filters = check_filters(filters, *image.shape[1:3])
    return image, backbones.patches(image, filters, units, recurrence), *classes
