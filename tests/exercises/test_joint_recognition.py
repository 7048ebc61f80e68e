"""The exercises of "Two jobs at once": the solutions pass, wrong answers fail."""

import numpy as np
import pytest

from exercises.reading import solution

PAGE = "faq/joint_recognition"


# ------------------------------------------------------------ predict: equal time


def check_rounds(equal_rounds):
    assert equal_rounds(10, 7.0, 1.0, 0.0, 0.0) == 70, (
        "ten rounds of seven seconds are seventy of one second"
    )
    assert equal_rounds(10, 1.0, 0.25, 6.0, 2.0) == 56, (
        "both beginnings count: 16 seconds, of which 2 are gone before the first round"
    )
    assert equal_rounds(3, 1.0, 2.0, 0.0, 0.0) == 1, (
        "a round that is not finished does not count"
    )


def test_equal_rounds():
    check_rounds(solution(PAGE, "ex-joint-time")["equal_rounds"])


def without_beginning(rounds, joint_round, alone_round, joint_start, alone_start):
    return int(rounds * joint_round // alone_round)


def rounded_up(rounds, joint_round, alone_round, joint_start, alone_start):
    seconds = joint_start + rounds * joint_round - alone_start
    return int(np.ceil(seconds / alone_round))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(without_beginning, "both beginnings"), (rounded_up, "not finished")],
)
def test_wrong_rounds_are_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_rounds(wrong)


# ------------------------------------------------------------ build: boxes


def check_box(box_of):
    mask = np.zeros((8, 9), int)
    assert box_of(mask) is None, "an empty mask has no box: return None"
    mask[2:5, 3:7] = 8
    mask[2, 3] = 0
    found = box_of(mask)
    assert tuple(found[2:4]) != (4, 6), (
        "y1 and x1 are one behind the last row and column: y1 - y0 is the height"
    )
    assert tuple(found[:4]) == (2, 3, 5, 7), "rows are y, columns are x"
    assert found[4] == 7, "the mask says digit plus 1, since 0 is the background"


def test_the_box_of_a_layout():
    check_box(solution(PAGE, "ex-joint-box")["box_of"])


def to_the_last_pixel(mask):
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    ends = rows.min(), columns.min(), rows.max(), columns.max()
    return *ends, mask.max() - 1


def columns_first(mask):
    columns, rows = np.nonzero(mask)
    if not len(rows):
        return None
    ends = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    return *ends, mask.max() - 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(to_the_last_pixel, "one behind the last"), (columns_first, "rows are y")],
)
def test_a_wrong_box_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_box(wrong)


# ------------------------------------------------------------ change: agreement


def check_agreement(agreement):
    wanted = np.array([1, 2, 3, 4])
    own, other = np.array([1, 2, 3, 0]), np.array([1, 2, 0, 0])
    both, alone = agreement(own, other, wanted)
    assert both == 0.5, "right means equal to what was wanted: both are right on two"
    assert alone == 0.25, "only the first is right on one image of four"


def test_agreement_with_oneself():
    check_agreement(solution(PAGE, "ex-joint-agreement")["agreement"])


def same_answer(own, other, wanted):
    return (own == other).mean(), ((own == wanted) & (own != other)).mean()


def all_of_the_first(own, other, wanted):
    return ((own == wanted) & (other == wanted)).mean(), (own == wanted).mean()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(same_answer, "equal to what was wanted"), (all_of_the_first, "only the first")],
)
def test_wrong_agreement_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_agreement(wrong)
