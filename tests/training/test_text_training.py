"""Training of readers: the guess that leaves the blanks, lists, streams, lengths."""

import collections
import functools
import importlib
import re

import keras
import numpy as np
import pytest
import training_helpers as tiny
from hypothesis import given, settings
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.ctc import text_probability
from crnn_tutorial.tasks.text import ReadText
from crnn_tutorial.training.batches import prepare
from crnn_tutorial.training.ctc_start import (
    LEFT,
    GuessedAlignment,
    leave_plateau,
    plateau_loss,
    spread,
)
from crnn_tutorial.training.streams import ShuffledBatches


def make_lines(texts, width=32):
    """Images that show each character as a grey bar of four columns."""
    images = np.full((len(texts), 16, width, 1), -1, dtype="float32")
    for image, text in zip(images, texts, strict=True):
        image[:, : 4 * max(len(text), 1)] = 0
        for i, character in enumerate(text):
            image[2:14, 4 * i + 1 : 4 * i + 3] = (int(character) + 1) / 3
    return images


def build_reader():
    ct.set_seed(0)
    return ct.build_text_recognizer(
        (16, None, 1), "012", filters=(8, 8), units=8, recurrence="order_blind"
    )


@functools.cache
def _shared():
    model = build_reader()
    return model, [variable.numpy() for variable in model.variables]


def make_reader():
    """The same reader for all tests, as new: Keras translates its step only once."""
    model, values = _shared()
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))
    return model


TEXTS = ["0", "1", "2", "01", "12", "20", "102", "210", "121", ""] * 2
LINES = make_lines(TEXTS)


def test_a_reader_learns():
    model, lines = make_reader(), LINES
    history = ct.train_text_recognizer(
        model,
        lines,
        TEXTS,
        batch_size=10,
        epochs=8,
        guess_steps=20,
        augment=False,
        learning_rate=0.02,
        validation_data=(lines[:4], TEXTS[:4]),
        verbose=0,
    )
    assert ct.exact_match(TEXTS, ct.read_text(model, lines)) >= 0.8
    assert history.history["exact_match"][-1] >= 0.8
    assert history.history["val_cer"][-1] <= 0.1


def test_the_guess_alone_teaches_most_of_the_reading():
    """Training proper hardly moves the weights here: what is read is the guess's."""
    errors = []
    for steps in (0, 60):
        model, options = make_reader(), {"batch_size": 10, "epochs": 1, "verbose": 0}
        ct.train_text_recognizer(
            model, LINES, TEXTS, guess_steps=steps, learning_rate=1e-9, **options
        )
        errors.append(ct.character_error_rate(TEXTS, ct.read_text(model, LINES)))
    assert errors[0] > 0.6
    assert errors[1] < 0.6


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    room=st.integers(3, 9),
    start=st.integers(0, 20),
    pixels=st.integers(1, 8),
)
def test_the_guess_is_an_alignment_of_the_text(lengths, room, start, pixels):
    """With more than two steps for each character, the guess reads as the text."""
    alphabet = ct.Alphabet("ab")
    texts = ["aabba"[:length] for length in lengths]
    ends = [start + room * pixels * length for length in lengths]
    steps = max(ends) // pixels + 3
    extents = [(start, end) for end in ends]
    guessed = spread(alphabet.encode(texts), extents, steps, pixels)
    assert ReadText(alphabet).decode(np.eye(3)[guessed]) == texts
    middles = (np.arange(steps) + 0.5) * pixels
    for row, end in zip(guessed, ends, strict=True):
        assert not row[(middles < start) | (middles > end)].any()


def test_where_a_character_has_a_single_step_it_is_said_there():
    guessed = spread(np.array([[1, 2, 3]]), [(8, 20)], steps=6, pixels=4)
    assert guessed.tolist() == [[0, 0, 1, 2, 3, 0]]


def test_padded_steps_have_no_part_in_the_loss_of_the_guess():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 8, 3)).astype("float32")
    only_blank = np.tile(np.float32([0, -1e9, -1e9]), (1, 5, 1))
    padded = np.concatenate([logits, only_blank], axis=1)
    loss, guess, text = GuessedAlignment(), [0, 1, 1, 0, 0, 2, 2, 0], [1, 2]
    short, long = np.array([[*guess, *text]]), np.array([[*guess, *[0] * 5, *text]])
    assert float(loss(long, padded)) == pytest.approx(float(loss(short, logits)))
    chances = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    aligned = -np.log(chances[np.arange(8), guess]).mean()
    ctc = -np.log(text_probability(chances, text)) / 8
    assert float(loss(short, logits)) == pytest.approx(aligned + ctc, rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_no_answer_that_is_the_same_for_all_images_is_below_the_plateau(data):
    """Random constant answers, scored text by text by another function."""
    length = st.integers(0, 3)
    texts = data.draw(st.lists(length.map(lambda n: [1, 2, 1][:n]), min_size=2))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    classes = np.array([text + [0] * (3 - len(text)) for text in texts])
    plateau = plateau_loss(classes, [6] * len(texts), num_classes=3)
    counts = np.bincount(classes[classes > 0], minlength=3)[1:]
    often = counts / max(counts.sum(), 1)
    share = rng.uniform(0.02, 0.99)
    answer = np.tile(np.r_[1 - share, share * often], (6, 1))
    losses = [-np.log(text_probability(answer, text)) for text in texts]
    assert np.mean(losses) > plateau - 0.05 * (1 + plateau)  # it tries 20 shares


def test_the_plateau_of_a_narrow_image_is_that_of_its_own_steps():
    classes = np.array([[1], [1]])
    alone = [plateau_loss(classes[:1], [steps], 3) for steps in (3, 9)]
    both = plateau_loss(classes, [3, 9], 3)
    assert min(alone) - 1e-4 <= both <= max(alone) + 0.5
    assert plateau_loss(classes, [3, 3], 3) == pytest.approx(alone[0], abs=1e-5)


def test_the_guess_ends_as_soon_as_the_plateau_is_left():
    model = make_reader()
    data = ShuffledBatches(LINES, ct.Alphabet("012").encode(TEXTS), 10)
    plateau, steps = leave_plateau(model, data, 400, learning_rate=0.02)
    loss = keras.losses.CTC()(data.targets, model(LINES))
    assert steps < 400
    assert float(loss) < plateau


@pytest.mark.parametrize("most", [1, 7, 15, 120])
def test_the_guess_takes_no_more_batches_than_it_may(most, monkeypatch):
    """Ten batches in the data; nothing ever counts as having left the plateau."""
    monkeypatch.setattr("crnn_tutorial.training.ctc_start.LEFT", -1)
    data = ShuffledBatches(LINES, ct.Alphabet("012").encode(TEXTS), batch_size=2)
    assert leave_plateau(make_reader(), data, most)[1] == most


def test_who_knows_the_places_but_not_the_image_has_not_left_the_plateau():
    """The best answer for four random digits that is free at each of 16 steps."""
    texts = np.random.default_rng(0).integers(1, 11, (256, 4))
    start = keras.Input((1,))
    scores = keras.layers.Dense(16 * 11)(start)
    model = keras.Model(start, keras.layers.Reshape((16, 11))(scores))
    model.compile(keras.optimizers.Adam(0.1), keras.losses.CTC(), jit_compile=False)
    same = np.ones((256, 1), "float32")
    model.fit(same, texts, batch_size=256, epochs=300, verbose=0)
    plateau = plateau_loss(texts, [16] * 256, num_classes=11)
    places = model.evaluate(same, texts, batch_size=256, verbose=0)
    assert LEFT * plateau < places < 0.95 * plateau


def noise(texts):
    """Images that have nothing to do with their texts."""
    return np.random.default_rng(0).random((len(texts), 16, 32, 1), "float32")


def test_a_training_that_reads_nothing_says_so():
    texts, options = TEXTS * 5, {"batch_size": 4, "verbose": 0, "guess_steps": 4}
    with pytest.warns(UserWarning, match="has not learnt to read. After 4 epochs"):
        history = ct.train_text_recognizer(
            make_reader(), noise(texts), texts, epochs=4, learning_rate=1e-6, **options
        )
    assert not history.has_learnt
    assert history.plateau_loss > 0
    assert history.guess_steps == 4


def test_weights_do_not_make_a_reader_look_as_if_it_had_not_learnt():
    options = {"batch_size": 4, "verbose": 0, "learning_rate": 0.02, "epochs": 30}
    weights = np.full(len(TEXTS), 1000.0)
    history = ct.train_text_recognizer(
        make_reader(), LINES, TEXTS, sample_weight=weights, **options
    )
    assert history.has_learnt


def test_a_model_without_the_error_rate_is_warned_of_too():
    texts, options = TEXTS * 5, {"batch_size": 4, "verbose": 0, "guess_steps": 4}
    model = build_reader()
    model.compile("sgd", keras.losses.CTC(), jit_compile=False)
    with pytest.warns(UserWarning, match="has not learnt to read"):
        ct.train_text_recognizer(
            model, noise(texts), texts, epochs=4, learning_rate=1e-9, **options
        )


def test_one_that_reads_does_not():
    options = {"batch_size": 4, "verbose": 0, "learning_rate": 0.02}
    history = ct.train_text_recognizer(
        make_reader(), LINES, TEXTS, epochs=30, **options
    )
    assert history.has_learnt


def test_the_best_weights_are_kept_and_the_training_stops_behind_them():
    """The validation says what no image shows: it gets worse while training reads."""
    other = ["2" if text == "" else "" for text in TEXTS]
    options = {"batch_size": 10, "epochs": 12, "guess_steps": 0, "verbose": 0}
    model = make_reader()
    history = ct.train_text_recognizer(
        model, LINES, TEXTS, validation_data=(LINES, other), patience=1, **options
    )
    errors = history.history["val_cer"]
    losses = history.history["val_loss"]
    best = min(range(len(errors)), key=lambda epoch: (errors[epoch], losses[epoch]))
    found = model.evaluate(LINES, ct.Alphabet("012").encode(other), verbose=0)
    assert found[0] == pytest.approx(losses[best], rel=1e-4)
    assert best < len(errors) - 1 < 11
    everything = ct.train_text_recognizer(
        make_reader(),
        LINES,
        TEXTS,
        validation_data=(LINES, other),
        patience=None,
        **options,
    )
    assert len(everything.epoch) == 12


def test_a_training_that_goes_on_does_not_guess_again(tmp_path):
    """Stopped after its first epoch and called again: the same weights at the end."""

    def stop():
        raise KeyError

    lines, weights = LINES, []
    options = {"batch_size": 10, "epochs": 3, "guess_steps": 3, "verbose": 0}
    for name, callback in (("whole", None), ("parts", tiny.Interrupt(1, 0, stop))):
        options["checkpoint"] = tmp_path / name
        if callback:
            with pytest.raises(KeyError):
                ct.train_text_recognizer(
                    make_reader(), lines, TEXTS, callbacks=[callback], **options
                )
        model = make_reader()
        ct.train_text_recognizer(model, lines, TEXTS, **options)
        weights.append(model.get_weights())
    for whole, parts in zip(*weights, strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_where_keras_takes_a_training_up_there_is_no_guess_either(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    options = {"epochs": 3, "guess_steps": 4, "verbose": 0}
    keep = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ct.train_text_recognizer(
            build_reader(), LINES, TEXTS, callbacks=[keep, Stop()], **options
        )
    again = keras.callbacks.BackupAndRestore(tmp_path)
    history = ct.train_text_recognizer(
        build_reader(), LINES, TEXTS, callbacks=again, **options
    )
    assert history.epoch == [1, 2] and history.guess_steps == 0


def test_at_the_end_callbacks_find_the_weights_that_are_kept():
    class Look(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.weights = self.model.get_weights()

    look, other = Look(), ["2" if text == "" else "" for text in TEXTS]
    model = make_reader()
    ct.train_text_recognizer(
        model,
        LINES,
        TEXTS,
        epochs=6,
        guess_steps=0,
        validation_data=(LINES, other),
        callbacks=look,
        verbose=0,
    )
    for kept, seen in zip(model.get_weights(), look.weights, strict=True):
        np.testing.assert_array_equal(kept, seen)


def test_lists_of_any_size_and_streams_train_too():
    lines = [
        line[:, : 4 * max(len(t), 1)] for line, t in zip(LINES, TEXTS, strict=True)
    ]
    boxed = np.empty(len(lines), dtype=object)
    boxed[:] = lines
    options = {"epochs": 1, "guess_steps": 0, "verbose": 0}
    weights = []
    for form in (LINES, lines, boxed, ct.Split(LINES, TEXTS)):
        model = make_reader()
        texts = None if isinstance(form, ct.Split) else TEXTS
        ct.train_text_recognizer(model, form, texts, **options)
        weights.append(model.get_weights())
    for other in weights[1:]:
        for one, same in zip(weights[0], other, strict=True):
            np.testing.assert_allclose(one, same, atol=1e-5)
    stream = ShuffledBatches(LINES, ct.Alphabet("012").encode(TEXTS), 10)
    history = ct.train_text_recognizer(make_reader(), stream, None, **options)
    assert np.isfinite(history.history["loss"]).all()


def test_the_text_that_is_named_is_the_one_at_fault():
    """Also where texts come with an index of their own, as in a shuffled table."""

    class Column(list):
        def __getitem__(self, index):
            return super().__getitem__(-1 - index)

    texts = Column(["0", "0120" * 30, "2"])
    with pytest.raises(ValueError, match="is text 1, '0120") as error:
        ct.train_text_recognizer(make_reader(), make_lines(["0"] * 3), texts)
    assert len(str(error.value)) < 400  # the text is not printed whole


def test_lists_are_widened_for_a_reader_of_one_width():
    model = ct.build_fixed_length_reader((16, 32, 1), "012", 2, filters=(4, 4))
    model.run_eagerly = True
    lines = [np.ones((16, 8, 1), "float32")] * 2
    history = ct.train_text_recognizer(model, lines, ["0", "12"], epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("name, better", [("exact_match", "greater"), ("cer", "less")])
def test_callbacks_know_which_way_is_better(name, better):
    model = make_reader()
    stop = keras.callbacks.EarlyStopping(f"val_{name}", restore_best_weights=True)
    data, options = (LINES, TEXTS), {"epochs": 1, "guess_steps": 0, "verbose": 0}
    ct.train_text_recognizer(
        model, *data, validation_data=data, callbacks=stop, **options
    )
    assert stop.monitor_op.__name__ == better


def test_the_first_quarter_of_the_epochs_is_not_augmented(monkeypatch):
    seen = []

    def note(images, rng):
        seen.append(len(images))
        return images

    monkeypatch.setattr("crnn_tutorial.training.text.augment_text_images", note)
    options = {"batch_size": 20, "guess_steps": 0, "verbose": 0}
    ct.train_text_recognizer(make_reader(), LINES, TEXTS, epochs=8, **options)
    assert len(seen) >= 6  # of one batch each; Keras reads some twice
    later, seen[:] = len(seen), []
    ct.train_text_recognizer(
        make_reader(), LINES, TEXTS, epochs=8, augment=True, **options
    )
    assert len(seen) >= later + 2
    with pytest.raises(ValueError, match='augment is "later", True, False or a func'):
        ct.train_text_recognizer(make_reader(), LINES, TEXTS, augment="soon")


def test_each_image_is_prepared_once(monkeypatch):
    """Stacked, checked, encoded: once to train, also for the guess, once to judge."""
    counts = collections.Counter()

    def counted(target):
        module, name = target.rsplit(".", 1)
        function = getattr(importlib.import_module(f"crnn_tutorial.{module}"), name)

        def count(data, *args, **kwargs):
            counts[name] += len(data)
            return function(data, *args, **kwargs)

        monkeypatch.setattr(f"crnn_tutorial.{target}", count)

    counted("tasks.text.stack_text_images")
    counted("training.batches.check_images")
    counted("tasks.text._as_str")  # before the texts are encoded
    lines = list(LINES[:12])
    options = {"batch_size": 4, "epochs": 2, "guess_steps": 6, "verbose": 0}
    validation = lines[:5], TEXTS[:5]
    ct.train_text_recognizer(
        make_reader(), lines, TEXTS[:12], validation_data=validation, **options
    )
    assert counts == {"stack_text_images": 17, "check_images": 17, "_as_str": 17}


def test_one_training_serves_readers_and_classifiers():
    """What is special to readers are defaults, and nothing else."""
    weights = []
    for train, own in (
        (ct.train_text_recognizer, {"augment": False}),
        (ct.train_crnn_model, {"learning_rate": 3e-3, "batch_size": 16}),
    ):
        model = make_reader()
        options = {"epochs": 2, "guess_steps": 3, "verbose": 0, **own}
        history = train(model, LINES[:32], TEXTS[:32], **options)
        assert history.guess_steps == 3
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_patience_keeps_the_best_weights_of_a_classifier_too():
    digits = ct.load_digits()
    few = digits.train[:60]
    ct.set_seed(0)
    model = ct.build_rnn_model((8, 8, 1), 10, units=8)
    validation = digits.validation[:60]
    history = ct.train_crnn_model(
        model,
        few,
        epochs=30,
        validation_data=validation,
        patience=2,
        learning_rate=0.03,
        verbose=0,
    )
    accuracies = history.history["val_accuracy"]
    assert len(accuracies) < 30
    assert ct.evaluate(model, validation).score == pytest.approx(max(accuracies))


def test_augment_is_true_or_a_function_of_your_own():
    seen = []

    def note(images, rng):
        seen.append(len(images))
        return images

    options = {"epochs": 1, "batch_size": 10, "guess_steps": 0, "verbose": 0}
    ct.train_text_recognizer(make_reader(), LINES, TEXTS, augment=note, **options)
    assert set(seen) == {10}
    weights = []
    for augment in (False, True):
        model = make_reader()
        ct.train_text_recognizer(model, LINES, TEXTS, augment=augment, **options)
        weights.append(model.get_weights()[0])
    assert not np.array_equal(*weights)


@pytest.mark.parametrize(
    "text, width, needed, steps",
    [("0120", 12, 4, 3), ("11", 8, 3, 2), ("00100", 24, 7, 6)],
)
def test_a_text_that_is_too_long_for_its_image_is_refused(text, width, needed, steps):
    images = make_lines(["0", text])
    images[1] = -1
    images[1, :, :width] = 0.5
    with pytest.raises(ValueError, match="1 of 2 texts are too long") as error:
        ct.train_text_recognizer(make_reader(), images, ["0", text], verbose=0)
    expected = f"The first is text 1, {text!r}: it needs {needed} steps"
    assert expected in str(error.value)
    assert f"its image has {steps}." in str(error.value)
    # The widest fix does fit: so many times the steps are enough.
    wider = float(re.search(r"images ([\d.]+) times as wide", str(error.value))[1])
    assert wider * steps >= needed > (wider - 0.1) * steps


def test_texts_that_just_fit_have_a_finite_loss():
    texts, model = ["012", "11", "0", ""], make_reader()
    images = make_lines(texts)
    images[1, :, :12] = 0.5  # "11" needs three steps
    images, targets, _ = prepare(model, heads.of(model), images, texts)
    assert float(keras.losses.CTC()(targets, model(images))) < 100


def test_readers_want_texts_and_classifiers_do_not():
    images = make_lines(["0", "1"])
    with pytest.raises(ValueError, match=r"alphabet '012' does not have \['7'\]"):
        ct.train_text_recognizer(make_reader(), images, ["0", "7"])
    with pytest.raises(ValueError, match="2 images and 1 targets"):
        ct.train_text_recognizer(make_reader(), images, ["0"])
    with pytest.raises(ValueError, match="classifies and does not read"):
        ct.train_text_recognizer(tiny.fresh_model(), images, ["0", "1"])
    with pytest.raises(ValueError, match="guess_steps is a whole number"):
        ct.train_text_recognizer(make_reader(), images, ["0", "1"], guess_steps=-1)


def test_a_fixed_length_reader_trains_too():
    texts = ["01", "210"]
    model = ct.build_fixed_length_reader((16, 32, 1), "012", 4, filters=(4, 4))
    history = ct.train_text_recognizer(
        model, make_lines(texts), texts, epochs=1, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()
