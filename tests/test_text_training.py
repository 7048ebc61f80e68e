"""Training of readers: the guess that leaves the blanks, lists, streams, lengths."""

import functools
import re

import keras
import numpy as np
import pytest
import training_helpers as tiny
from hypothesis import given
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial import heads
from crnn_tutorial.batches import ShuffledBatches, prepare
from crnn_tutorial.first_guess import GuessedAlignment, spread


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
        learning_rate=0.02,
        validation_data=(lines[:4], TEXTS[:4]),
        verbose=0,
    )
    assert ct.exact_match(TEXTS, ct.read_text(model, lines)) >= 0.8
    assert history.history["exact_match"][-1] >= 0.8
    assert history.history["val_cer"][-1] <= 0.1


def test_the_guess_alone_teaches_most_of_the_reading():
    """CTC hardly moves the weights here, so what is read comes from the guess."""
    errors = []
    for steps in (0, 60):
        model, options = make_reader(), {"batch_size": 10, "epochs": 1, "verbose": 0}
        ct.train_text_recognizer(
            model, LINES, TEXTS, guess_steps=steps, learning_rate=1e-9, **options
        )
        errors.append(ct.character_error_rate(TEXTS, ct.read_text(model, LINES)))
    assert errors[0] > 0.6
    assert errors[1] < 0.5


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    rooms=st.lists(st.integers(1, 6), min_size=4, max_size=4),
    padding=st.integers(0, 7),
)
def test_the_guess_is_an_alignment_of_the_text(lengths, rooms, padding):
    """With more than two steps for each character, the guess reads as the text."""
    alphabet = ct.Alphabet("ab")
    texts = ["aabba"[:length] for length in lengths]
    steps = [max(1, 2 * room * n) for room, n in zip(rooms, lengths, strict=False)]
    real = np.array([[i < n for i in range(max(steps) + padding)] for n in steps])
    guessed = np.array(spread(alphabet.encode(texts), real.astype("float32")))
    read = heads.ReadText(alphabet).decode(np.eye(3)[guessed])
    # With exactly two steps of room neither of them lies in the middle half.
    wide = [n == 0 or s // max(n, 1) > 2 for s, n in zip(steps, lengths, strict=True)]
    kept = [text for text, one in zip(texts, wide, strict=True) if one]
    assert [text for text, one in zip(read, wide, strict=True) if one] == kept
    assert not guessed[~real].any()


def test_padded_steps_have_no_part_in_the_loss_of_the_guess():
    rng = np.random.default_rng(0)
    targets, logits = [[1, 2]], rng.normal(size=(1, 8, 3)).astype("float32")
    only_blank = np.tile(np.float32([0, -1e9, -1e9]), (1, 5, 1))
    padded = np.concatenate([logits, only_blank], axis=1)
    loss = GuessedAlignment()
    assert float(loss(targets, padded)) == pytest.approx(float(loss(targets, logits)))
    # By hand: blank, 1, 1, blank, blank, 2, 2, blank.
    chances = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    expected = -np.log(chances[np.arange(8), [0, 1, 1, 0, 0, 2, 2, 0]]).mean()
    assert float(loss(targets, logits)) == pytest.approx(expected, rel=1e-5)


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
