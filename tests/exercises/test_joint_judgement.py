"""The exercises of "Draw and judge at once": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

from crnn_tutorial.metrics.ranking import average_precision_of_ranking
from exercises.reading import solution

PAGE = "faq/joint_judgement"


# ------------------------------------------------------------ predict: random order


def check_random(random_map):
    assert random_map(1, 1) == 1, "the only other image is found at once"
    assert random_map(1, 2) == pytest.approx(0.75), (
        "it is first or second: precision 1 or 1/2, not the share"
    )
    rng = np.random.default_rng(0)
    lists = np.array([rng.permutation(10) < 4 for _ in range(4000)])
    found = average_precision_of_ranking(lists).mean()
    assert random_map(4, 10) == pytest.approx(found, abs=0.01), (
        "4,000 random orders say otherwise: a right image counts at its own rank, too"
    )


def test_random_order():
    check_random(solution(PAGE, "ex-judged-random")["random_map"])


def the_share(right, others):
    return right / others


def without_itself(right, others):
    """Forget that one image less is left for the places before it."""
    ranks = np.arange(1, others + 1)
    return ((1 + (ranks - 1) * right / others) / ranks).mean()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(the_share, "not the share"), (without_itself, "not the share|otherwise")],
)
def test_a_wrong_random_order_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_random(wrong)


# ------------------------------------------------------------ build: two wishes


def check_wishes(wish, unwish):
    digits, levels = np.divmod(np.arange(100), 10)
    numbers = np.asarray(wish(digits, levels))
    assert len(set(numbers.tolist())) == 100, "two wishes have the same number"
    assert set(numbers.tolist()) <= set(range(100)), "each number is below 100"
    found = np.array(unwish(numbers))
    assert found.shape == (2, 100), "unwish returns digit and level"
    assert (found == [digits, levels]).all(), "unwish is wish backwards"


def test_two_wishes_in_one_number():
    names = solution(PAGE, "ex-judged-both")
    check_wishes(names["wish"], names["unwish"])


def added(digit, level):
    return digit + level


def times_nine(digit, level):
    return 9 * digit + level


def eleven(digit, level):
    return 11 * digit + level


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (added, "the same number"),
        (times_nine, "the same number"),
        (eleven, "below 100"),
    ],
)
def test_wrong_wishes_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_wishes(wrong, lambda number: np.divmod(number, 10))


def test_unwish_in_the_wrong_order_is_told_why():
    def backwards(number):
        return np.divmod(number, 10)[::-1]

    wish = solution(PAGE, "ex-judged-both")["wish"]
    with pytest.raises(AssertionError, match="wish backwards"):
        check_wishes(wish, backwards)


# ------------------------------------------------------------ change: strength


def check_strength(strength):
    wished = np.linspace(0, 1, 10)
    assert strength(wished, wished) == pytest.approx(1), "followed exactly: 1"
    assert strength(wished, 0.3 + wished / 2) == pytest.approx(0.5), (
        "how much the measurement rises for a wish that rises by 1, not the reverse"
    )
    noisy = wished / 2 + np.tile([0.1, -0.1], 5)
    assert strength(wished, noisy) < 0.5, (
        "scatter is no strength: take the line, not the ratio of the deviations"
    )


def test_strength():
    check_strength(solution(PAGE, "ex-judged-slope")["strength"])


def turned_round(wished, measured):
    return np.polyfit(measured, wished, 1)[0]


def by_deviations(wished, measured):
    return np.std(measured) / np.std(wished)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(turned_round, "not the reverse"), (by_deviations, "scatter is no strength")],
)
def test_a_wrong_strength_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_strength(wrong)
