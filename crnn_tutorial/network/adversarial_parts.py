"""What an adversarial model is made of and fed with, and what it refuses."""

import math
import warnings

import keras
import numpy as np
from keras import ops

from crnn_tutorial.checks import check_images
from crnn_tutorial.metrics.generation import spread
from crnn_tutorial.network import heads
from crnn_tutorial.network.assemble import _jit_compile

COLLAPSED = 0.25  # of the spread of real images: below, the noise hardly matters
NOISE, IMAGES, REAL = "noise", "images", "real"


def distances(images, others):
    """Return the mean absolute difference of each pair of images."""
    return ops.mean(ops.abs(images - others), axis=(1, 2, 3))


def input_of(model, name):
    """Return the input with this name, or None."""
    return next((one for one in model.inputs if one.name == name), None)


def _image_of(discriminator):
    """Return the input for images: that of this name, or the first."""
    named = input_of(discriminator, "image")
    return discriminator.inputs[0] if named is None else named


def feed_of(model, conditions, others=None, **named):
    """Give each input of a model, by its name, what is meant for it.

    ``others`` goes to the image's input; what has no other name is the condition.
    """
    given = dict(named)
    if others is not None:
        given[_image_of(model).name] = others
    rest = [one.name for one in model.inputs if one.name not in given]
    if isinstance(conditions, dict):
        given |= {name: conditions[name] for name in rest}
    else:
        given |= dict.fromkeys(rest, conditions)
    return keras.tree.map_structure(lambda one: given[one.name], model.input)


def are_arrays(x):
    """Tell whether all that is told a generator can be looked at before training."""
    parts = keras.tree.flatten(x)
    return all(isinstance(part, np.ndarray) for part in parts)


def as_classes(conditions):
    """Return conditions that are whole numbers as labels, others not at all."""
    given = np.asarray(conditions) if not isinstance(conditions, dict) else None
    if given is None or given.dtype.kind not in "iu" or given.size != len(given):
        return None
    return given.ravel()


def _fits(size, wanted):
    return len(size) == len(wanted) and all(
        b is None or a is None or a == b for a, b in zip(size, wanted, strict=True)
    )


def check_parts(generator, discriminator, weights, average):
    """Refuse a generator and a discriminator that do not fit, and wrong weights."""
    for name, model in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                f"The {name} is a Keras model that is built, such as that of "
                f"ct.build_{name}, but got {type(model).__name__}."
            )
    made, judged = generator.output_shape[1:], _image_of(discriminator).shape[1:]
    if not _fits(made, judged):
        raise ValueError(
            f"The generator makes images of {made}, but the discriminator takes images "
            f"of {tuple(judged)} (height, width, channels)."
        )
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} is at least 0, but got {weight!r}.")
    if not 0 <= average < 1:
        raise ValueError(f"average is in [0, 1), but got {average!r}.")
    if weights["mode_seeking_weight"] and input_of(generator, NOISE) is None:
        raise ValueError(
            "mode_seeking_weight compares the images of two noises, but the generator "
            "has no input called noise: leave it out."
        )


def real_of(x, y):
    """Return the real images of what ``fit`` takes."""
    if y is None:
        return x
    return y[IMAGES] if isinstance(y, dict) else y


def encode_for(several, x, y):
    """Turn what the other heads shall say into what their losses take, or refuse it."""
    if not several:
        return y
    if y is None:
        raise ValueError(
            f"The discriminator also says {', '.join(several)}: pass what it shall say:"
            f' fit(images, {{"images": images, "{next(iter(several))}": ...}}).'
        )
    given = y if isinstance(y, dict) else {IMAGES: y}
    wanted = {name: head.encode(given.get(name, x)) for name, head in several.items()}
    return given | wanted


def head_alone(discriminator, name, learning_rate=1e-3):
    """Return a discriminator with one of its heads only, to be trained without others.

    It is the control of a joint training: the same layers, without "real or generated"
    and without a generator. Layers and weights are shared with the discriminator, so
    that a new one is needed for a training of its own.

    Parameters
    ----------
    discriminator : keras.Model
        Its output is a dict, as with ``ct.build_discriminator(..., heads={...})``.
    name : str
        Of the head that stays.
    learning_rate : float
        Of the optimiser, which is that of `AdversarialModel`.

    Returns
    -------
    keras.Model
        Images -> what the head says; compiled with the head's loss.

    Raises
    ------
    ValueError
        If there is no such head.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.tasks.classification import Classify
    >>> both = ct.build_discriminator((8, 8, 1), {"digit": Classify(10)})
    >>> ct.head_alone(both, "digit").output_shape
    (None, 10)
    """
    names = [*discriminator.output] if isinstance(discriminator.output, dict) else []
    if name not in names:
        raise ValueError(f"The heads are {names}, but got {name!r}.")
    model = keras.Model(discriminator.inputs, discriminator.output[name])
    model.compile(
        adam(learning_rate),
        loss=heads.of(model).compiled()["loss"],
        jit_compile=_jit_compile(),
    )
    return model


def adam(learning_rate):
    """Return the optimiser of adversarial training, which forgets faster than usual."""
    return keras.optimizers.Adam(learning_rate, beta_1=0.5, beta_2=0.99)


def warn_of_collapse(model, x, y):
    """Warn where two noises give nearly the same image for the same condition."""
    few = [
        None if part is None else keras.tree.map_structure(lambda a: a[:256], part)
        for part in (x, y)
    ]
    real = real_of(*few)
    if len(real) < 2:
        return
    told = few[0] if model.takes_condition else len(real)
    one, two = (model.generate(told, seed=seed) for seed in (0, 1))
    apart = np.sqrt(((one - two) ** 2).sum(axis=(1, 2, 3))).mean()
    classes = as_classes(few[0]) if model.takes_condition else None
    if classes is not None and len(np.unique(classes)) == len(classes):
        classes = None  # no two of one class
    share = apart / spread(real, classes)
    if share < COLLAPSED:
        warnings.warn(
            "The generator has collapsed: two noises give images that lie "
            f"{share:.0%} as far apart as real ones do. Try a higher "
            "mode_seeking_weight, a lower learning_rate, or train for longer.",
            stacklevel=4,
        )


def check_data(model, x, y):
    """Refuse what a generator or a discriminator cannot learn from."""
    generator = model.generator
    if y is None and model.takes_condition:
        wanted = [one.name for one in generator.inputs if one.name != NOISE]
        raise ValueError(
            f"The generator is told something ({', '.join(wanted)}): pass it, one for "
            "each image: fit(conditions, images)."
        )
    if isinstance(y, dict) and IMAGES not in y:
        raise ValueError(f'y has the real images as "images", but got {list(y)}.')
    real = check_images(real_of(x, y))
    if not _fits(real.shape[1:], generator.output_shape[1:]):
        raise ValueError(
            f"The generator makes images of {generator.output_shape[1:]}, but the real "
            f"ones have {real.shape[1:]} (height, width, channels)."
        )
    for given in keras.tree.flatten((x, y)):
        if given is not None and len(given) != len(real):
            raise ValueError(
                f"There is one condition (and target) for each image, but got "
                f"{len(given)} and {len(real)} images."
            )


class StopAtNaN(keras.callbacks.Callback):
    """Stops when a loss is no number, and brings the last good weights back."""

    def __init__(self):
        super().__init__()
        self.wrong, self.good = None, None

    def on_epoch_begin(self, epoch, logs=None):
        """Keep what was good up to now."""
        self.epoch, self.good = epoch, self.model.get_weights()

    def on_train_batch_end(self, batch, logs=None):
        """Note which loss is no number."""
        names = [name for name in logs or () if name.endswith("_loss")]
        wrong = [name for name in names if not math.isfinite(float(logs[name]))]
        if wrong and self.wrong is None:
            self.wrong = f"{' and '.join(wrong)} in epoch {self.epoch + 1}, batch "
            self.wrong += str(batch + 1)
            self.model.stop_training = True

    def tell(self):
        """Raise, if training had to stop."""
        if self.wrong is None:
            return
        self.model.set_weights(self.good)
        self.model.optimizer.build(self.model.trainable_variables)
        raise FloatingPointError(
            f"No longer a number: {self.wrong}. The weights are again those of the end "
            "of the epoch before. Compile again with a lower learning rate, or with "
            "clipnorm=1."
        )
