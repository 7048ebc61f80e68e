"""An interrupted training ends with the same weights as an uninterrupted one."""

import errno
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import training_helpers as tiny

import crnn_tutorial as ct
from crnn_tutorial.data.array_files import fingerprint
from crnn_tutorial.training.checkpoints import (
    FILE,
    Checkpoint,
    describe_model,
    describe_optimizer,
)


class Stop(Exception):
    """The interruption."""


def stop():
    raise Stop


def state(model):
    variables = model.variables + model.optimizer.variables
    return {i: variable.numpy() for i, variable in enumerate(variables)}


def assert_state(model, expected):
    for i, array in state(model).items():
        np.testing.assert_array_equal(array, expected[i], err_msg=f"variable {i}")


@pytest.fixture(scope="module")
def uninterrupted():
    """The state at the end, and the history."""
    model = tiny.fresh_model()
    history = tiny.train(model)
    return state(model), history


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the checkpoint of a training that came to its end."""
    folder = tmp_path_factory.mktemp("finished")
    model = tiny.fresh_model()
    history = tiny.train(model, checkpoint=folder)
    return folder, state(model), history


def test_a_killed_process_goes_on_to_the_same_weights(tmp_path, uninterrupted):
    folder = tmp_path / "not" / "there" / "yet"
    root = str(Path(ct.__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, tiny.__file__, folder],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.DEVNULL,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in folder.iterdir()] == [FILE]
    # Another seed: all that counts must come out of the file.
    model = tiny.make_model(seed=99)
    history = tiny.train(model, checkpoint=folder)
    expected_state, expected = uninterrupted
    assert_state(model, expected_state)
    assert history.history == expected.history
    assert history.epoch == [0, 1, 2]


@pytest.mark.parametrize("epoch, batch", [(0, 2), (1, 0), (2, 3)])
def test_an_exception_anywhere_changes_nothing(tmp_path, uninterrupted, epoch, batch):
    model = tiny.fresh_model()
    with pytest.raises(Stop):
        interrupt = tiny.Interrupt(epoch, batch, stop)
        tiny.train(model, checkpoint=tmp_path, callbacks=[interrupt])
    # The same model goes on, as it does in a notebook.
    history = tiny.train(model, checkpoint=tmp_path)
    expected_state, expected = uninterrupted
    assert_state(model, expected_state)
    assert history.history == expected.history


def test_seconds_are_the_sum_over_all_parts(tmp_path):
    model = tiny.fresh_model()
    with pytest.raises(Stop):
        callbacks = [tiny.Interrupt(2, 0, stop)]
        tiny.train(model, checkpoint=tmp_path, callbacks=callbacks)
    before = read(tmp_path)["progress"]["seconds"]
    started = []
    clock = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: started.append(1)
    )
    history = tiny.train(model, checkpoint=tmp_path, callbacks=[clock])
    assert started and history.seconds > before > 0
    assert read(tmp_path)["progress"]["seconds"] == history.seconds


def read(folder):
    with np.load(folder / FILE) as file:
        return json.loads(str(file["record"]))


def test_a_finished_training_returns_at_once(finished):
    folder, expected, history = finished
    model = tiny.fresh_model(seed=99)
    again = tiny.train(model, checkpoint=folder, callbacks=[tiny.Interrupt(0, 0, stop)])
    assert_state(model, expected)
    assert again.history == history.history and again.epoch == [0, 1, 2]
    assert again.seconds == history.seconds
    assert model.history is again


def test_a_training_stopped_by_a_callback_is_finished(tmp_path):
    class OneEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    model = tiny.fresh_model()
    tiny.train(model, checkpoint=tmp_path, callbacks=[OneEpoch()])
    again = tiny.train(tiny.fresh_model(), checkpoint=tmp_path)
    assert again.epoch == [0]


def test_killed_between_the_last_epoch_and_the_end(
    tmp_path, uninterrupted, monkeypatch
):
    save = Checkpoint.save

    def die_at_the_end(self, finished=False):
        return stop() if finished else save(self)

    model = tiny.fresh_model()
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", die_at_the_end)
        with pytest.raises(Stop):
            tiny.train(model, checkpoint=tmp_path)
    history = tiny.train(tiny.fresh_model(seed=99), checkpoint=tmp_path)
    assert history.history == uninterrupted[1].history
    assert read(tmp_path)["progress"]["finished"]


def other_data():
    return tiny.make_data(seed=1)


def other_labels():
    images, labels = tiny.make_data()
    return images, labels[::-1]


@pytest.mark.parametrize(
    "what, change",
    [
        ("model: 123 parameters", {"model": {"units": 6}}),
        ("model: 123 parameters", {"model": {"rate": 0.4}}),
        ("optimizer: Adam", {"model": {"optimizer": "sgd"}}),
        (
            "optimizer: Adam",
            {"model": {"optimizer": {"class_name": "adam", "config": {"clipnorm": 1}}}},
        ),
        ("data: 20 images", {"data": other_data()}),
        ("data: 20 images", {"data": other_labels()}),
        ("batch_size: 6 then, 7 now", {"batch_size": 7}),
        ("epochs: 3 then, 4 now", {"epochs": 4}),
        ("learning_rate: 0.01 then, 0.02 now", {"learning_rate": 0.02}),
        ("seed: 5 then, 6 now", {"seed": 6}),
        ("augment: add_noise then, None now", {"augment": None}),
        (
            "augment: add_noise then, augment_shift with () {'pixels': 1} now",
            {"augment": functools.partial(ct.augment_shift, pixels=1)},
        ),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(finished, what, change):
    change = dict(change)
    model = tiny.make_model(**change.pop("model", {}))
    before = model.get_weights()
    with pytest.raises(ValueError, match="belongs to another training") as error:
        tiny.train(model, checkpoint=finished[0], **change)
    assert what in str(error.value)
    assert "choose another folder to begin anew" in str(error.value)
    assert str(error.value).count(" then, ") == 1
    for array, untouched in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, untouched)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_a_damaged_checkpoint_is_refused(tmp_path, finished, damage):
    content = bytearray((finished[0] / FILE).read_bytes())
    flipped = content.copy()
    flipped[len(content) // 3] ^= 255
    damaged = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "flipped": flipped,
        "text": b"no checkpoint at all",
    }
    (tmp_path / FILE).write_bytes(damaged[damage])
    with pytest.raises(ValueError, match="is damaged: delete it to begin anew"):
        tiny.train(tiny.fresh_model(), checkpoint=tmp_path)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, uninterrupted):
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    model = tiny.fresh_model()
    # The next file written there meets "no space left on device", a real one.
    fill = tiny.Interrupt(
        1, 3, lambda: (tmp_path / FILE).with_suffix(".partial").symlink_to("/dev/full")
    )
    with pytest.raises(OSError, match="No space left on device") as error:
        tiny.train(model, checkpoint=tmp_path, callbacks=[fill])
    assert error.value.errno == errno.ENOSPC
    assert "The checkpoint before this one is kept" in str(error.value)
    assert "after epoch 2" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert read(tmp_path)["progress"]["epoch"] == 1
    model = tiny.fresh_model(seed=99)
    tiny.train(model, checkpoint=tmp_path)
    assert_state(model, uninterrupted[0])


def test_a_failing_rename_keeps_the_checkpoint_before(finished, monkeypatch, tmp_path):
    content = (finished[0] / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content)

    def read_only(*args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    keeper = Checkpoint(tmp_path, tiny.fresh_model(), {})
    monkeypatch.setattr(os, "replace", read_only)
    with pytest.raises(OSError, match="Read-only file system") as error:
        keeper.save()
    assert error.value.errno == errno.EROFS
    assert (tmp_path / FILE).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_folder_that_cannot_be_made_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    trained = tiny.Interrupt(0, 0, stop)
    with pytest.raises(OSError, match="choose a folder that can be written") as error:
        tiny.train(
            tiny.fresh_model(), checkpoint=tmp_path / "file", callbacks=[trained]
        )
    assert "is kept" not in str(error.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_first_checkpoint_is_there_before_the_first_epoch(tmp_path):
    with pytest.raises(Stop):
        tiny.train(
            tiny.fresh_model(),
            checkpoint=tmp_path,
            callbacks=[tiny.Interrupt(0, 0, stop)],
        )
    assert read(tmp_path)["progress"]["epoch"] == 0


def test_names_do_not_make_another_model():
    first, second = ct.build_cnn_model((8, 8, 1), 3), ct.build_cnn_model((8, 8, 1), 3)
    assert first.name != second.name
    assert describe_model(first) == describe_model(second)
    assert describe_model(ct.build_cnn_model((8, 8, 1), 4)) != describe_model(first)


def test_the_optimiser_counts_but_not_where_its_learning_rate_stands():
    adam = keras.optimizers.Adam
    assert describe_optimizer(adam(0.1)) == describe_optimizer(adam(0.2))
    wrapped = [keras.optimizers.LossScaleOptimizer(adam(rate)) for rate in (0.1, 0.2)]
    assert describe_optimizer(wrapped[0]) == describe_optimizer(wrapped[1])
    decay = keras.optimizers.schedules.ExponentialDecay
    schedules = [adam(decay(0.1, steps, 0.5)) for steps in (10, 20)]
    others = [adam(), adam(beta_1=0.5), *schedules, wrapped[0]]
    assert len({describe_optimizer(optimizer) for optimizer in others}) == 5


def test_a_fingerprint_tells_values_shapes_and_types_apart():
    numbers = np.arange(6)
    others = [numbers[::-1], numbers.reshape(2, 3), numbers.astype("float64")]
    assert len({fingerprint(array) for array in [numbers, *others]}) == 4
    assert fingerprint(numbers[::2]) == fingerprint(np.array([0, 2, 4]))
