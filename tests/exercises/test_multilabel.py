"""The exercises of "Several labels for one image": solutions pass, wrong ones fail."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from exercises.reading import solution

PAGE = "faq/multilabel"


def rows(seed, images=200, labels=10, share=0.2):
    return (np.random.default_rng(seed).random((images, labels)) < share).astype(int)


# ------------------------------------------------------------ predict: the ceiling


def check_ceiling(ceiling):
    truth = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 1]])
    for count, expected in enumerate((0.2, 0.2, 0.4, 0.2)):
        found = ceiling(truth, count)
        assert found <= expected + 1e-9, (
            f"{found:.0%} is too high for {count} labels: in an image with fewer "
            "labels, one of the named ones is wrong"
        )
        assert found == pytest.approx(expected), (
            f"{expected:.0%} of the images have exactly {count} labels, not {found:.0%}"
        )


def test_the_ceiling():
    check_ceiling(solution(PAGE, "ex-labels-ceiling")["ceiling"])


def at_most(labels, count):
    return (labels.sum(axis=1) <= count).mean()


def one_in_many(labels, count):
    return (labels.sum(axis=1) == count).mean() / 3


@pytest.mark.parametrize(
    ("wrong", "words"), [(at_most, "fewer labels"), (one_in_many, "have exactly")]
)
def test_a_wrong_ceiling_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_ceiling(wrong)


# ------------------------------------------------------------ change: pairs


def check_pairs(yes):
    scores = np.random.default_rng(0).normal(size=(4, 10), scale=3)
    found = yes(scores)
    assert np.shape(found) == scores.shape, "one probability for each score"
    assert not np.allclose(found.sum(axis=1), 1), (
        "these probabilities sum to 1 in each image: the softmax runs over the labels, "
        "not over each pair"
    )
    expected = 1 / (1 + np.exp(-scores))
    assert np.allclose(found, expected, atol=1e-6), "is the score of no always 0?"
    assert np.isfinite(yes(np.array([[800.0, -800.0]]))).all()


def test_pairs():
    check_pairs(solution(PAGE, "ex-labels-pairs")["yes"])


def over_labels(scores):
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True)


def opposite_no(scores):
    return 1 / (1 + np.exp(-2 * scores))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(over_labels, "over the labels"), (opposite_no, "always 0")],
)
def test_wrong_pairs_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_pairs(wrong)


# ------------------------------------------------------------ build: micro-F1


def check_f1(micro_f1):
    truth, answers = rows(0), rows(1)
    found = micro_f1(truth, answers)
    assert found != pytest.approx(np.mean(truth == answers)), (
        "this counts the right no as well: most labels are not there, and to say so is "
        "easy"
    )
    assert found == pytest.approx(f1_score(truth, answers, average="micro")), (
        "scikit-learn finds another number: did you average over images or labels?"
    )
    assert micro_f1(truth, truth) == pytest.approx(1)
    assert micro_f1(np.zeros((2, 3), int), np.zeros((2, 3), int)) == 0


def test_f1():
    check_f1(solution(PAGE, "ex-labels-f1")["micro_f1"])


def share_of_right(labels, answers):
    return np.mean(labels == answers)


def over_images(labels, answers):
    right = (labels & answers).sum(axis=1)
    return np.mean(2 * right / np.maximum(labels.sum(1) + answers.sum(1), 1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(share_of_right, "right no"), (over_images, "average over images")],
)
def test_a_wrong_f1_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_f1(wrong)
