"""Rankings against scikit-learn, known answers, and what cannot change a score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from crnn_tutorial.metrics import ranking
from crnn_tutorial.metrics.ranking import (
    average_precision_of_ranking,
    recall_at,
    retrieval_precision,
)

quick = settings(max_examples=30, deadline=None, derandomize=True)
rankings = arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 12)))


@quick
@given(rankings)
def test_average_precision_is_that_of_scikit_learn(relevant):
    scores = -np.arange(relevant.shape[1])  # the best first
    ours = average_precision_of_ranking(relevant)
    for row, score in zip(relevant, ours, strict=True):
        theirs = average_precision_score(row, scores) if row.any() else 0.0
        assert score == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("relevant", "score"),
    [
        ([1, 1, 0, 0], 1),
        ([0, 0, 1, 1], (1 / 3 + 2 / 4) / 2),
        ([0, 0, 0, 1], 1 / 4),
        ([1, 0, 1, 0], (1 + 2 / 3) / 2),
        ([0, 0, 0, 0], 0),
        ([1, 1, 1, 1], 1),
    ],
)
def test_known_rankings(relevant, score):
    assert average_precision_of_ranking([relevant])[0] == pytest.approx(score)


@quick
@given(rankings)
def test_precision_lies_between_0_and_1_and_is_1_only_if_all_come_first(relevant):
    scores = average_precision_of_ranking(relevant)
    assert ((scores >= 0) & (scores <= 1)).all()
    first = (np.diff(relevant.astype(int), axis=1) <= 0).all(axis=1)
    np.testing.assert_array_equal(scores == 1, first & relevant.any(axis=1))


@quick
@given(rankings)
def test_recall_grows_with_the_number_of_items_that_are_looked_at(relevant):
    found = [recall_at(relevant, count) for count in (1, 2, 5, 12)]
    assert (np.diff(found, axis=0) >= 0).all()
    np.testing.assert_array_equal(found[0], relevant[:, 0])
    np.testing.assert_array_equal(found[-1], relevant.any(axis=1))


def make_vectors(count=40, classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 6)), np.arange(count) % classes


def expected(vectors, classes):
    """The same by scikit-learn, one query after the other."""
    similarities = cosine_similarity(vectors)
    others = ~np.eye(len(vectors), dtype=bool)
    return [
        average_precision_score(classes[rest] == one, row[rest])
        for one, row, rest in zip(classes, similarities, others, strict=True)
    ]


@pytest.mark.parametrize("at_once", [500, 40, 7])
def test_each_image_is_a_query_against_all_others(at_once, monkeypatch):
    monkeypatch.setattr(ranking, "QUERIES", at_once)
    vectors, classes = make_vectors()
    scores = retrieval_precision(vectors, classes)
    np.testing.assert_allclose(scores, expected(vectors, classes))


def test_lengths_rotations_and_the_names_of_classes_do_not_count():
    vectors, classes = make_vectors()
    scores = retrieval_precision(vectors, classes)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    longer = vectors * np.arange(1, 41)[:, None]
    np.testing.assert_allclose(retrieval_precision(vectors @ rotation, classes), scores)
    np.testing.assert_allclose(retrieval_precision(longer, classes), scores)
    np.testing.assert_allclose(retrieval_precision(vectors, 7 - classes), scores)


def test_the_order_of_the_images_does_not_count():
    vectors, classes = make_vectors()
    order = np.random.default_rng(1).permutation(len(vectors))
    scores = retrieval_precision(vectors, classes)
    shuffled = retrieval_precision(vectors[order], classes[order])
    np.testing.assert_allclose(shuffled, scores[order])


@pytest.mark.parametrize(
    ("vectors", "classes", "message"),
    [
        (np.eye(3), [0, 0], r"but got \(3, 3\) and \(2,\)"),
        (np.ones((2, 2, 2)), [0, 0], "one vector"),
        (np.eye(3), [0, 0, 4], "Class 4 has one image alone"),
        (np.zeros((2, 2)), [0, 0], "lengths from 0.0 to 0.0"),
        ([[1, np.nan], [1, 0]], [0, 0], "finite length above 0"),
    ],
)
def test_what_cannot_be_ranked(vectors, classes, message):
    with pytest.raises(ValueError, match=message):
        retrieval_precision(vectors, classes)
