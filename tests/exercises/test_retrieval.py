"""The exercises of "Find me more of these": solutions pass, wrong answers fail."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import crnn_tutorial as ct
from crnn_tutorial.tasks.retrieval import Neighbours
from exercises.reading import solution

PAGE = "faq/retrieval"

# ------------------------------------------------------------ predict: on paper


def check_precision(average_precision):
    assert average_precision([1, 1, 0, 0]) == pytest.approx(1), (
        "all that is right stands first: 1, whatever comes after it. Divide by the "
        "number of right ones, not by the length of the list"
    )
    assert average_precision([0, 0, 1, 1]) == pytest.approx((1 / 3 + 2 / 4) / 2), (
        "does the order count? Share of right ones down to *each* right place"
    )
    rng = np.random.default_rng(0)
    for count in (5, 20, 100):
        relevant = rng.random(count) < 0.3
        relevant[rng.integers(count)] = True
        known = average_precision_score(relevant, -np.arange(count))
        assert average_precision(relevant) == pytest.approx(known)


def test_the_average_precision():
    check_precision(solution(PAGE, "ex-retrieval-precision")["average_precision"])


def divided_by_all(relevant):
    relevant = np.asarray(relevant, bool)
    shares = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
    return (shares * relevant).mean()


def precision_at_the_last(relevant):
    last = np.flatnonzero(relevant)[-1] + 1
    return sum(relevant) / last


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [(divided_by_all, "number of right ones"), (precision_at_the_last, "order count")],
)
def test_a_wrong_precision_is_told_why(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_precision(wrong)


# ------------------------------------------------------------ build: the rival


def check_pixels(find_by_pixels):
    images = ct.load_digits().test.images[:50]
    found = find_by_pixels(images, images[7], 1)
    assert list(found) == [7], (
        "an image is most like itself: sort from the highest cosine down"
    )
    dim = images.copy()
    dim[20] *= 0.2
    assert list(find_by_pixels(dim, images[20], 1)) == [20], (
        "the same image, darker, has a cosine of 1: divide each by its length"
    )
    vectors = dim.reshape(50, -1)
    cosines = vectors @ images[3].ravel() / np.linalg.norm(vectors, axis=1)
    best = np.argsort(-cosines)[:5]
    assert list(find_by_pixels(dim, images[3], 5)) == best.tolist()


def test_the_rival():
    check_pixels(solution(PAGE, "ex-retrieval-pixels")["find_by_pixels"])


def least_alike(gallery, query, count):
    vectors = gallery.reshape(len(gallery), -1)
    cosines = vectors @ query.ravel() / np.linalg.norm(vectors, axis=1)
    return np.argsort(cosines)[:count]


def by_distance(gallery, query, count):
    distances = ((gallery - query) ** 2).reshape(len(gallery), -1).sum(axis=1)
    return np.argsort(distances)[:count]


@pytest.mark.parametrize(
    ("wrong", "hint"), [(least_alike, "highest cosine"), (by_distance, "its length")]
)
def test_a_wrong_rival_is_told_why(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_pixels(wrong)


# ------------------------------------------------------------ change: nothing found


class Index:
    """Finds the same three images whatever is asked."""

    def search(self, images, count=5):
        return Neighbours(list("abc")[:count], np.array([0.9, 0.5, 0.1])[:count])


def check_refuse(find_or_refuse):
    index, image = Index(), np.zeros((8, 8, 1))
    assert list(find_or_refuse(index, image, 3, 0.4)) == ["a", "b"], (
        "each answer has a similarity of its own: judge each"
    )
    assert list(find_or_refuse(index, image, 3, 0.95)) == [], (
        "nothing is similar enough: an empty list, and not the best of the bad ones"
    )
    assert list(find_or_refuse(index, image, 1, 0.0)) == ["a"]


def test_refusing():
    check_refuse(solution(PAGE, "ex-retrieval-refuse")["find_or_refuse"])


def all_or_none(index, image, count, least):
    found = index.search(image, count)
    return found.names if found.similarities[0] >= least else []


def never_none(index, image, count, least):
    found = index.search(image, count)
    kept = [n for n, s in zip(*found, strict=True) if s >= least]
    return kept or found.names[:1]


@pytest.mark.parametrize(
    ("wrong", "hint"), [(all_or_none, "judge each"), (never_none, "an empty list")]
)
def test_a_wrong_refusal_is_told_why(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_refuse(wrong)
