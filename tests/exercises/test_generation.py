"""The exercises of "Generation": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/generation"


def random_images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, 4, 4, 1), dtype="float32")


# ------------------------------------------------------------ predict: the mean image


def check_distance(distance_of_mean):
    for seed in range(3):
        images = random_images(40, seed) ** (seed + 1)
        mean = np.repeat(images.mean(axis=0, keepdims=True), 40, axis=0)
        found = ct.frechet_distance(images, mean)
        told = distance_of_mean(images)
        assert told > 0, "the means agree, but the covariances do not: one of them is 0"
        assert told == pytest.approx(found, rel=0.01), (
            f"the distance is {found:.3f}, not {told:.3f}: the trace of the covariance "
            "is a sum over all pixels, and each pixel has a mean of its own"
        )


def test_the_distance_of_the_mean_image():
    check_distance(solution(PAGE, "ex-generation-mean")["distance_of_mean"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda images: 0.0, "the means agree"),
        (lambda images: images.var(axis=0).mean(), "a sum over all pixels"),
    ],
)
def test_a_wrong_distance_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_distance(wrong)


# ------------------------------------------------------------ change: halfway


def check_between(between):
    start, end = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    for share, wanted in ((0, start), (1, end)):
        assert between(start, end, share) == pytest.approx(wanted), (
            "the walk begins at the first noise and ends at the second"
        )
    middle = between(start, end, 0.5)
    assert np.linalg.norm(middle) == pytest.approx(3), (
        "the middle of the two is shorter or longer than they are"
    )
    quarter = between(start, end, 0.25)
    assert quarter[0] > quarter[1] > 0, "a quarter of the way is nearer to the start"


def test_halfway_between_two_noises():
    check_between(solution(PAGE, "ex-generation-halfway")["between"])


def straight(start, end, share):
    return (1 - share) * start + share * end


def full_turn(start, end, share):
    return np.cos(share * np.pi) * start + np.sin(share * np.pi) * end


@pytest.mark.parametrize(
    ("wrong", "words"), [(straight, "shorter or longer"), (full_turn, "ends at the se")]
)
def test_a_wrong_walk_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_between(wrong)


# ------------------------------------------------------------ build: copies


def check_copies(share_of_copies):
    train, test, new = (random_images(count, count) for count in (30, 20, 12))
    nearly = np.clip(train[:6] + 0.001, 0, 1)
    new = new[ct.nearest_neighbours(new, train).distance > 0.9][:6]
    found = share_of_copies(new, train, test)
    limit = ct.nearest_neighbours(test, train).distance.min()
    expected = (ct.nearest_neighbours(new, train).distance < limit).mean()
    assert found == pytest.approx(expected), (
        "new images count as copies: the limit is the smallest distance of a test image"
    )
    found = share_of_copies(np.concatenate([nearly, new]), train, test)
    expected = (6 + expected * len(new)) / (6 + len(new))
    assert found == pytest.approx(expected), (
        f"six images are copies with a little noise: the share is {expected:.2f}, not "
        f"{found:.2f}"
    )


def test_a_detector_of_copies():
    check_copies(solution(PAGE, "ex-generation-copies")["share_of_copies"])


def only_exact(generated, train, test):
    return (ct.nearest_neighbours(generated, train).distance == 0).mean()


def mean_as_limit(generated, train, test):
    limit = ct.nearest_neighbours(test, train).distance.max()
    return (ct.nearest_neighbours(generated, train).distance < limit).mean()


@pytest.mark.parametrize(
    ("wrong", "words"), [(only_exact, "a little noise"), (mean_as_limit, "new images")]
)
def test_a_wrong_detector_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_copies(wrong)
