"""Keep all that a training needs to go on after it was interrupted.

Keras' own ``BackupAndRestore`` leaves out the random state of dropout and the history,
and an interruption while it writes destroys the only copy. Here one file holds
everything and is replaced in one step.
"""

import contextlib
import errno
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from crnn_tutorial.data.array_files import read_npz

FILE = "training.npz"
# A layer of ours is the same in whatever file it stands. This is where all stood when
# the first checkpoints were written: those can still be taken up.
_MODULE = "crnn_tutorial.layers"
# Two equal models differ in these: names come from counting the models of a process.
_IGNORED = {
    "name",
    "build_config",
    "inbound_nodes",
    "input_layers",
    "output_layers",
}


@dataclass
class Progress:
    """How far a training has come.

    Parameters
    ----------
    epoch : int
        Number of finished epochs.
    seconds : float
        Wall time of those epochs.
    history : dict
        Name of a loss or metric -> its value after each epoch.
    finished : bool
        Whether there is nothing left to train.

    Examples
    --------
    >>> from crnn_tutorial.training.checkpoints import Progress
    >>> Progress().epoch
    0
    """

    epoch: int = 0
    seconds: float = 0.0
    history: dict = field(default_factory=dict)
    finished: bool = False


class Checkpoint(keras.callbacks.Callback):
    """Save a training after each epoch, and take it up again.

    Parameters
    ----------
    folder : str or path
        Made when it is missing. Holds one file, ``training.npz``.
    model : keras.Model
        Built and compiled.
    settings : dict
        Name -> text or number: all that must be the same when training goes on.

    Raises
    ------
    OSError
        If the file cannot be written or read.
    ValueError
        If the folder holds a checkpoint of other settings, or a damaged one.

    Examples
    --------
    >>> import tempfile
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.training.checkpoints import Checkpoint
    >>> model = ct.build_rnn_model((8, 8, 1), num_classes=10)
    >>> folder = tempfile.mkdtemp()
    >>> Checkpoint(folder, model, {"epochs": 3}).save(finished=True)
    >>> Checkpoint(folder, model, {"epochs": 3}).progress.finished
    True
    """

    def __init__(self, folder, model, settings):
        super().__init__()
        self.set_model(model)
        self.path = Path(folder) / FILE
        self.settings = settings
        self.progress = Progress()
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        if not self._restore():
            # An epoch may take hours: find out now whether the disk can be written.
            self.save()
        self._start = time.perf_counter() - self.progress.seconds

    def on_epoch_end(self, epoch, logs=None):
        """Save all, with the values in ``logs`` added to the history."""
        for name, value in (logs or {}).items():
            self.progress.history.setdefault(name, []).append(float(value))
        self.progress.epoch = epoch + 1
        self.progress.seconds = time.perf_counter() - self._start
        self.save()

    def save(self, finished=False):
        """Write the file in one step: a reader finds the old one or the new one."""
        self.progress.finished = finished
        record = {"settings": self.settings, "progress": asdict(self.progress)}
        arrays = [variable.numpy() for variable in _state(self.model)]
        partial = self.path.with_suffix(".partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(partial, "wb") as file:
                np.savez(file, *arrays, record=np.array(json.dumps(record)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise self._cannot_write(error) from error

    def _cannot_write(self, error):
        kept = " The checkpoint before this one is kept." if self.path.is_file() else ""
        return OSError(
            error.errno or errno.EIO,
            f"The checkpoint after epoch {self.progress.epoch} cannot be written to "
            f"{self.path.parent} ({error.strerror or error}).{kept} Make room, "
            "or choose a folder that can be written, then call again to go on.",
        )

    def _restore(self):
        """Put the model where the checkpoint left it; False if there is none."""
        if not self.path.is_file():
            return False
        variables = _state(self.model)
        try:
            arrays = read_npz(self.path, "")
            record = json.loads(str(arrays.pop("record")))
            settings = dict(record["settings"])
            progress = Progress(**record["progress"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error
        self._require_same(settings)
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in arrays.values()] != shapes:
            raise self._damaged()
        for variable, array in zip(variables, arrays.values(), strict=True):
            variable.assign(array)
        self.progress = progress
        return True

    def _damaged(self):
        return ValueError(
            f"The checkpoint {self.path} is damaged: delete it to begin anew."
        )

    def _require_same(self, saved):
        """Refuse to go on with anything else than what was begun."""
        other = [
            f"{name}: {saved.get(name)} then, {value} now"
            for name, value in self.settings.items()
            if saved.get(name) != value
        ]
        if other:
            raise ValueError(
                f"The checkpoint in {self.path.parent} belongs to another training. "
                f"{'; '.join(other)}. Call with what you began with, or choose another "
                "folder to begin anew."
            )


def describe_model(model):
    """Return a short text that changes with the layers and parameters of a model.

    Weights and the names of layers do not count.

    Parameters
    ----------
    model : keras.Model
        Built.

    Returns
    -------
    str
        The number of parameters, and hexadecimal digits for the layers.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> from crnn_tutorial.training.checkpoints import describe_model
    >>> describe_model(ct.build_rnn_model((8, 8, 1), num_classes=10, units=32))
    '3,274 parameters (layers ...)'
    """
    layers = [keras.saving.serialize_keras_object(layer) for layer in model.layers]
    shapes = [[list(v.shape), str(v.dtype)] for v in model.variables]
    return f"{model.count_params():,} parameters (layers {_digits([layers, shapes])})"


def describe_optimizer(optimizer):
    """Return a short text that changes with the kind and settings of an optimiser.

    A learning rate that is a number does not count: it changes from step to step.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Of a compiled model.

    Returns
    -------
    str
        The name of the class, and hexadecimal digits for the settings.

    Examples
    --------
    >>> import keras
    >>> from crnn_tutorial.training.checkpoints import describe_optimizer
    >>> describe_optimizer(keras.optimizers.Adam())
    'Adam (settings ...)'
    """
    config = keras.saving.serialize_keras_object(optimizer)
    inner = config["config"].get("inner_optimizer", config)["config"]
    if isinstance(inner["learning_rate"], float):
        del inner["learning_rate"]
    return f"{type(optimizer).__name__} (settings {_digits(config)})"


def _digits(config):
    text = json.dumps(_without_names(config), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _without_names(config):
    if isinstance(config, dict):
        kept = {k: v for k, v in config.items() if k not in _IGNORED}
        if str(kept.get("module")).startswith("crnn_tutorial."):
            kept["module"] = _MODULE
        return {k: _without_names(v) for k, v in kept.items()}
    if isinstance(config, list | tuple):
        return [_without_names(v) for v in config]
    return config


def _state(model):
    """Return all variables of a training, in an order that does not depend on names.

    `model.variables` holds, beside the weights, the random state of dropout.
    """
    optimizer = model.optimizer.variables
    return [
        *model.variables,
        *(v for v in optimizer if v.name != "learning_rate"),
    ]
