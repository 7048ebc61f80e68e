"""Training: same seed same weights, the schedule, the stop at NaN."""

import random

import keras
import numpy as np
import pytest
import training_helpers as tiny

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.training.batches import prepare
from crnn_tutorial.training.schedule import WARM_UP, scheduled_rate


class Rates(keras.callbacks.Callback):
    """Write down the learning rate of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_set_seed_seeds_everything():
    drawn = []
    for seed in (4, 4, 5):
        ct.set_seed(seed)
        drawn.append(
            (
                random.random(),
                np.random.rand(),  # noqa: NPY002  (others may still use it)
                float(keras.initializers.GlorotUniform()((1, 1))[0, 0]),
            )
        )
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "0", True, None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="whole number from 0 to"):
        ct.set_seed(seed)
    with pytest.raises(ValueError, match="whole number from 0 to"):
        tiny.train(tiny.fresh_model(), seed=seed)


def test_the_seed_decides_the_weights():
    weights = []
    for seed in (1, 1, 2):
        model = tiny.fresh_model()
        random.random()  # what others draw in between must not matter
        history = tiny.train(model, seed=seed, augment=None)
        weights.append(model.get_weights()[0])
    assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).any()
    assert history.seconds > 0 and len(history.history["accuracy"]) == 3


def test_arguments_stand_in_the_articles_order():
    images, labels = tiny.make_data()
    history = ct.train_crnn_model(tiny.fresh_model(), images, labels, 10, 2, verbose=0)
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 2}


def test_every_form_of_labels_gives_the_same_weights():
    images, labels = tiny.make_data()
    one_hot = np.eye(3)[labels]
    weights = []
    for loss in ("sparse_categorical", "categorical"):
        model = tiny.make_model(loss=loss)
        for form in (labels.tolist(), one_hot):
            tiny.restart(model)
            tiny.train(model, (images, form), epochs=1)
            weights.append(model.get_weights()[0])
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], atol=1e-6)


@pytest.mark.parametrize(
    "loss, one_hot",
    [
        ("categorical_crossentropy", True),
        (keras.losses.categorical_crossentropy, True),
        (keras.losses.CategoricalFocalCrossentropy(), True),
        ("sparse_categorical_crossentropy", False),
        (keras.losses.SparseCategoricalCrossentropy(), False),
    ],
)
def test_the_loss_tells_the_form_of_the_targets(loss, one_hot):
    model = tiny.make_model()
    model.compile("adam", loss)
    _, targets, _ = prepare(model, heads.of(model), *tiny.make_data())
    assert targets.shape == ((20, 3) if one_hot else (20,))


def test_it_learns_real_digits():
    digits = ct.load_digits()
    train = digits.train[:200]
    ct.set_seed(0)
    model = ct.build_lstm_model((8, 8, 1), num_classes=10, units=16)
    history = ct.train_crnn_model(
        model, train.images, train.targets, 20, 8, learning_rate=0.01, verbose=0
    )
    assert history.history["accuracy"][-1] > 0.7  # by chance 0.1


def test_the_learning_rate_climbs_then_falls_along_a_cosine():
    rates = [scheduled_rate(step, 100, peak=2.0) for step in range(100)]
    peak = round(100 * WARM_UP)
    assert rates[:peak] == sorted(rates[:peak]) and rates[peak] == max(rates) == 2.0
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01
    half = (100 + peak) / 2  # halfway down the cosine
    assert np.interp(half, range(100), rates) == pytest.approx(1.0, abs=1e-3)
    assert scheduled_rate(0, 1, peak=2.0) == 2.0


def test_each_step_has_its_learning_rate_and_the_optimiser_gets_its_own_back():
    model, rates = tiny.fresh_model(), Rates()
    model.optimizer.learning_rate = 0.125
    tiny.train(model, learning_rate=None, callbacks=[rates])
    expected = [scheduled_rate(step, 12, peak=0.125) for step in range(12)]
    np.testing.assert_allclose(rates.seen, expected, rtol=1e-6)
    assert float(model.optimizer.learning_rate) == 0.125
    assert int(model.optimizer.iterations) == 12


def test_learning_rate_is_the_peak():
    model, rates = tiny.fresh_model(), Rates()
    tiny.train(model, learning_rate=0.5, callbacks=[rates])
    assert max(rates.seen) == 0.5
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)


class SetRate(keras.callbacks.Callback):
    """A user's own callback that sets the learning rate at some moment."""

    def __init__(self, moment, first_epoch=0):
        super().__init__()
        self.first, self.epoch = first_epoch, 0
        setattr(self, moment, self.set)

    def set(self, number=0, logs=None):
        if self.model.optimizer.iterations >= 4 * self.first:
            self.model.optimizer.learning_rate = 0.125


OWN_RATES = {
    "scheduler": lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.125),
    "before training": lambda: SetRate("on_train_begin"),
    "before each epoch": lambda: SetRate("on_epoch_begin"),
    "before each step": lambda: SetRate("on_train_batch_begin"),
}


@pytest.mark.parametrize("name", OWN_RATES)
def test_a_learning_rate_of_ones_own_is_obeyed(name):
    model, rates = tiny.fresh_model(), Rates()
    callbacks = [OWN_RATES[name](), rates]
    history = tiny.train(model, learning_rate=0.5, callbacks=callbacks)
    assert rates.seen == [0.125] * 12
    assert float(model.optimizer.learning_rate) == 0.125
    if name == "scheduler":
        assert history.history["learning_rate"] == [0.125] * 3


def test_a_plateau_lowers_the_rate_from_the_one_given():
    plateau = keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, min_delta=100
    )
    model, rates = tiny.fresh_model(), Rates()
    tiny.train(model, learning_rate=0.5, callbacks=[plateau, rates])
    assert rates.seen == [0.5] * 8 + [0.25] * 4
    assert float(model.optimizer.learning_rate) == 0.125


def test_a_callback_that_takes_over_later_keeps_the_rate():
    model, rates = tiny.fresh_model(), Rates()
    own = SetRate("on_epoch_begin", first_epoch=1)
    tiny.train(model, learning_rate=0.5, callbacks=[own, rates])
    expected = [scheduled_rate(step, 12, peak=0.5) for step in range(4)]
    np.testing.assert_allclose(rates.seen, expected + [0.125] * 8, rtol=1e-6)


def test_nothing_is_left_of_a_callbacks_rate_in_the_next_training():
    model, rates = tiny.fresh_model(), Rates()
    tiny.train(model, callbacks=SetRate("on_epoch_begin"))
    tiny.train(model, learning_rate=0.5, callbacks=rates)
    assert max(rates.seen) == 0.5


def test_a_backup_of_keras_goes_on_with_the_schedule(tmp_path):
    """It puts an old learning rate back, which is nobody's choice."""

    def stop():
        raise KeyboardInterrupt

    model, rates = tiny.make_model(), Rates()  # Keras leaves a trace in the model
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(model, callbacks=[backup, tiny.Interrupt(1, 2, stop)])
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    tiny.train(model, callbacks=[backup, rates])
    expected = [scheduled_rate(step, 12, peak=0.01) for step in range(4, 12)]
    np.testing.assert_allclose(rates.seen, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "form", ["none", "one", "list", "tuple", "nested", "callbacks"]
)
def test_callbacks_come_in_any_form(form):
    ended = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: ended.append(e))
    forms = {
        "none": None,
        "one": note,
        "list": [note],
        "tuple": (note,),
        "nested": [[note], []],
        "callbacks": keras.callbacks.CallbackList([note]),
    }
    tiny.train(tiny.fresh_model(), callbacks=forms[form])
    assert ended == ([] if form == "none" else [0, 1, 2])


@pytest.mark.parametrize(
    ("callbacks", "got"),
    [([keras.callbacks.EarlyStopping], "EarlyStopping"), ("quick", "str"), (3, "int")],
)
def test_what_is_no_callback_is_refused(callbacks, got):
    with pytest.raises(ValueError, match=f"list of them, but got {got}. A class wants"):
        tiny.train(tiny.fresh_model(), callbacks=callbacks)


def test_a_schedule_that_was_compiled_is_kept():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.5, 0.25])
    model, rates = tiny.make_model(optimizer=keras.optimizers.SGD(schedule)), Rates()
    tiny.train(model, learning_rate=None, callbacks=[rates])
    assert rates.seen == [0.5] * 6 + [0.25] * 6
    with pytest.raises(ValueError, match="compiled with a schedule of its own"):
        tiny.train(model, learning_rate=0.1)


def test_the_optimiser_inside_a_loss_scale_is_found():
    inner = keras.optimizers.Adam(0.25)
    model = tiny.make_model(optimizer=keras.optimizers.LossScaleOptimizer(inner))
    rates = Rates()
    tiny.train(model, learning_rate=None, callbacks=[rates])
    assert max(rates.seen) == 0.25 and min(rates.seen) < 0.01
    assert float(inner.learning_rate) == 0.25


@pytest.mark.parametrize("rate", [0, -1e-3, float("nan"), float("inf"), "fast"])
def test_a_learning_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="learning_rate is a number above 0"):
        tiny.train(tiny.fresh_model(), learning_rate=rate)


@pytest.mark.parametrize("name", ["batch_size", "epochs"])
@pytest.mark.parametrize("value", [0, -3, 2.0, "4", None, True])
def test_counts_that_are_none_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is a whole number of at least 1"):
        tiny.train(tiny.fresh_model(), **{name: value})


@pytest.mark.parametrize("slow_callbacks", [False, True])
def test_a_loss_that_is_no_number_stops_training(tmp_path, slow_callbacks):
    # A callback of one's own makes Keras wait for each batch: both ways must work.
    wait = [tiny.Interrupt(None, None, None)] if slow_callbacks else []
    ended = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: ended.append(e))
    model = tiny.fresh_model()

    def break_model(batch, logs):
        if ended and batch == 2:
            model.layers[-1].bias.assign([np.nan] * 3)

    breaker = keras.callbacks.LambdaCallback(on_train_batch_begin=break_model)
    with pytest.raises(FloatingPointError, match="became nan in epoch 2, batch 3") as e:
        tiny.train(model, checkpoint=tmp_path, callbacks=[note, breaker, *wait])
    rate = scheduled_rate(6, 12, peak=0.01)
    assert f"at a learning rate of {rate:.2g}. " in str(e.value)
    assert "ten times smaller" in str(e.value)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    assert ended == [0]
    # The last checkpoint is a sound one.
    history = tiny.train(model, checkpoint=tmp_path)
    assert np.isfinite(history.history["loss"]).all()


def test_nan_under_a_schedule_of_ones_own():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e38, 1, 1.0)
    model = tiny.make_model(optimizer=keras.optimizers.SGD(schedule))
    with pytest.raises(FloatingPointError, match=r"batch \d\. The weights are lost"):
        tiny.train(model, learning_rate=None)


@pytest.mark.parametrize("quiet, shown", [("1", False), ("", True)])
def test_the_progress_bar_stays_out_of_stored_notebooks(
    capsys, monkeypatch, quiet, shown
):
    monkeypatch.setenv("CRNN_TUTORIAL_QUIET", quiet)
    tiny.train(tiny.fresh_model(), epochs=1, verbose="auto")
    assert ("accuracy" in capsys.readouterr().out) == shown
    tiny.train(tiny.fresh_model(), epochs=1, verbose=2)
    assert "accuracy" in capsys.readouterr().out
