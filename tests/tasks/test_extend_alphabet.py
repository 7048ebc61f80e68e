"""A trained reader meets new letters: what it knew stays as it was."""

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network import heads


def make_reader(fixed=False):
    """Weights as after a training: far from zero, every character is read somewhere."""
    if fixed:
        model = ct.build_fixed_length_reader((8, 24, 1), "abc", 3, filters=(4,))
    else:
        model = ct.build_text_recognizer((8, None, 1), "abc", filters=(4,), units=3)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((30, 8, 24, 1), dtype="float32")


@pytest.mark.parametrize("fixed", [False, True])
def test_it_reads_the_same_as_before(images, fixed):
    model = make_reader(fixed)
    before = model.get_weights()
    longer = ct.extend_alphabet(model, "xyz")
    assert heads.of(longer).alphabet == ct.Alphabet("abcxyz")
    assert longer.output_shape[-1] == 7
    texts = ct.read_text(model, images)
    assert any(texts)  # else nothing was compared
    assert ct.read_text(longer, images) == texts
    after = longer.predict(images, verbose=0)
    assert (after[..., 4:].max(axis=-1) < after[..., :4].max(axis=-1)).all()
    scores = model.predict(images, verbose=0), after
    if fixed:  # probabilities: their ratios stay
        scores = [np.log(s[..., :4] / s[..., :1]) for s in scores]
    np.testing.assert_allclose(scores[1][..., :4], scores[0], atol=1e-4)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_copy_is_trained_alone_and_learns():
    """A grey bar is an "a", a white one an "x", which is new."""
    lines = np.zeros((16, 8, 24, 1), "float32")
    lines[:, 1:7, 4:7], lines[:, 1:7, 16:19] = 0.5, 1
    ct.set_seed(0)
    model = ct.build_text_recognizer(
        (8, None, 1), "abc", filters=(4,), units=4, recurrence="order_blind"
    )
    before = model.get_weights()
    longer = ct.extend_alphabet(model, "x")
    options = {"augment": False, "learning_rate": 0.02, "verbose": 0}
    ct.train_text_recognizer(longer, lines, ["ax"] * 16, epochs=60, **options)
    assert ct.read_text(longer, lines) == ["ax"] * 16
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_it_is_compiled_as_before_and_can_be_saved(images, tmp_path):
    model = make_reader()
    model.compile(keras.optimizers.SGD(0.25), keras.losses.CTC(), jit_compile=False)
    longer = ct.extend_alphabet(model, ["x"])
    assert type(longer.optimizer).__name__ == "SGD"
    assert float(longer.optimizer.learning_rate) == 0.25
    longer.save(tmp_path / "longer.keras")
    loaded = ct.load_model(tmp_path / "longer.keras")
    assert ct.read_text(loaded, images) == ct.read_text(longer, images)


def test_known_characters_stay_as_they_are():
    longer = ct.extend_alphabet(make_reader(), ct.Alphabet("xbay"))
    assert heads.of(longer).alphabet.characters == "abcxy"
    assert (
        heads.of(ct.extend_alphabet(make_reader(), "ab")).alphabet.characters == "abc"
    )


def test_only_readers_have_an_alphabet():
    classifier = ct.build_rnn_model((8, 8, 1), 3)
    for model, got in ((classifier, "it classifies"), ("reader", "it is a str")):
        with pytest.raises(ValueError, match=f"does not read texts: {got}"):
            ct.extend_alphabet(model, "x")
    with pytest.raises(ValueError, match="at least one character"):
        ct.extend_alphabet(make_reader(), "")
