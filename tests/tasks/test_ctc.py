"""CTC against brute force: every path written down, every text's paths added up."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.tasks.ctc import (
    alignment,
    log_forward,
    search,
    text_probability,
)
from crnn_tutorial.tasks.text import ReadText


@functools.cache
def paths(steps, classes):
    return np.array(list(itertools.product(range(classes), repeat=steps)))


def collapse(path):
    """Merge repeats, then drop blanks: what a path reads as."""
    return tuple(k for k, _ in itertools.groupby(path) if k)


def all_texts(probabilities):
    """Probability of every text that so many steps can say, by adding up its paths."""
    steps, classes = probabilities.shape
    found = {}
    for path in paths(steps, classes):
        chance = math.prod(probabilities[range(steps), path])
        found[collapse(path)] = found.get(collapse(path), 0.0) + chance
    return found


def draw(seed, steps, classes):
    logits = np.random.default_rng(seed).normal(0, 1.5, (steps, classes))
    chances = np.exp(logits)
    return logits, chances / chances.sum(axis=1, keepdims=True)


SIZES = [(1, 3), (2, 3), (3, 4), (4, 3), (5, 4)]  # steps, classes with the blank


@pytest.mark.parametrize(("steps", "classes"), SIZES)
class TestAgainstAllPaths:
    def test_the_loss_of_keras_is_the_sum_over_all_paths(self, steps, classes):
        """Every text of this size at once: repeats, the empty one, padded labels."""
        logits, probabilities = draw(steps, steps, classes)
        known = all_texts(probabilities)
        labels = [[*text] + [0] * (steps + 1 - len(text)) for text in known]
        batch = np.repeat(logits[np.newaxis], len(known), axis=0).astype("float32")
        losses = keras.losses.ctc(np.array(labels, "int32"), batch)
        sums = np.exp(-convert_to_numpy(losses).astype(float))
        np.testing.assert_allclose(sums, list(known.values()), rtol=1e-4, atol=1e-5)
        assert sums.sum() == pytest.approx(1, abs=1e-5)

    def test_ours_too_and_the_sum_over_all_texts_is_1(self, steps, classes):
        for seed in range(3):
            known = all_texts(draw(seed, steps, classes)[1])
            ours = [
                text_probability(draw(seed, steps, classes)[1], text) for text in known
            ]
            np.testing.assert_allclose(ours, list(known.values()), rtol=1e-12)
            assert sum(ours) == pytest.approx(1, abs=1e-12)

    def test_a_wide_beam_finds_the_most_probable_text(self, steps, classes):
        for seed in range(6):
            probabilities = draw(seed, steps, classes)[1]
            known = all_texts(probabilities)
            texts = search(np.log(probabilities), beam_width=2000)
            sums = np.exp(log_forward(np.log(probabilities), texts))
            found = [tuple(int(k) for k in text if k) for text in texts]
            assert len(set(found)) == len(known)  # each text once
            best = max(known, key=known.get)
            assert found[np.argmax(sums)] == best
            assert sums.max() == pytest.approx(known[best], abs=1e-9)

    def test_the_alignment_is_the_best_path_of_the_text(self, steps, classes):
        probabilities = draw(7, steps, classes)[1]
        best = {}
        for path in paths(steps, classes):
            chance = math.prod(probabilities[range(steps), path])
            best[collapse(path)] = max(
                best.get(collapse(path), (0, None)), (chance, tuple(path))
            )
        for text, (_, path) in best.items():
            path = np.array(path)
            written = np.zeros(steps, int)
            for k, (first, last) in zip(
                text, alignment(probabilities, text), strict=True
            ):
                written[first : last + 1] = k
            assert written.tolist() == path.tolist()


def test_a_narrow_beam_keeps_what_is_probable():
    """It knows how probable each text is so far, with all its paths, and drops rest."""
    right = 0
    for seed in range(60):
        probabilities = draw(seed, 5, 4)[1]
        known = all_texts(probabilities)
        texts = search(np.log(probabilities), beam_width=4)
        assert len(texts) == 4
        right += max(known, key=known.get) in {
            tuple(int(k) for k in text if k) for text in texts
        }
    assert right >= 57


def test_greedy_is_wrong_where_the_beam_is_right():
    """No single path beats "all blank", yet together those of "a" do."""
    logits = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert ReadText(ct.Alphabet("a")).decode(logits[np.newaxis]) == [""]
    texts = search(logits, beam_width=2)
    sums = np.exp(log_forward(logits, texts))
    assert texts[np.argmax(sums)].tolist() == [1]
    assert sums.max() == pytest.approx(1 - 0.36)


def test_a_repeated_character_needs_a_blank_between():
    sure = np.log(np.full((4, 2), 0.05) + 0.9 * np.eye(2)[[1, 0, 1, 1]])
    texts = search(sure, beam_width=8)
    best = texts[np.argmax(log_forward(sure, texts))]
    assert best[best > 0].tolist() == [1, 1]
    assert text_probability(np.full((2, 2), 0.5), [1, 1]) == 0  # 3 steps at least
    with pytest.raises(ValueError, match="at least 3 steps.* are 2 steps"):
        alignment(np.full((2, 2), 0.5), [1, 1])


def test_a_text_that_does_not_fit_has_no_finite_loss():
    labels = np.array([[1, 1, 0], [1, 2, 1]], "int32")
    losses = convert_to_numpy(keras.losses.ctc(labels, np.zeros((2, 2, 3), "float32")))
    # Infinite with torch, 1e5 with JAX, and about 707 with TensorFlow, whose smallest
    # probability is that of float64: no training shows by itself what is wrong.
    assert (losses > 500).all()


def test_training_refuses_such_a_text_with_both_numbers_and_the_fix():
    model = ct.build_text_recognizer((16, None, 1), "ab", units=2)
    images = np.zeros((2, 16, 12, 1), "float32")  # 3 steps
    with pytest.raises(ValueError, match=r"needs 4 steps.* has 3.*wide"):
        ct.train_text_recognizer(model, images, ["ab", "aab"], epochs=1)
