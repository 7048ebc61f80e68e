"""The exercises of "Which one shall I use?": the solutions pass, wrong answers fail."""

import itertools

import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/choosing"

# ------------------------------------------------------------ predict: pooling saves


def numbers_in_keras(height, filters, pools):
    """What the LSTM gets at one step, from the shape of its kernel."""
    model = ct.build_crnn_model(
        (height, 32, 1), 2, filters=(4,) * (pools - 1) + (filters,)
    )
    return model.get_layer("lstm").forward_layer.cell.kernel.shape[0]


def check_numbers(numbers_at_a_step):
    for height, filters, pools in [(16, 16, 2), (32, 8, 3), (30, 5, 2)]:
        assert numbers_at_a_step(height, filters, pools) == numbers_in_keras(
            height, filters, pools
        ), (
            f"{height} pixels, {filters} filters, {pools} poolings: each pooling "
            "halves the rows and drops a half row; rows and channels are multiplied"
        )


def test_the_numbers_at_a_step():
    check_numbers(solution(PAGE, "ex-choosing-features")["numbers_at_a_step"])


def halved_once(height, filters, pools):
    return height // 2 * filters


def with_half_rows(height, filters, pools):
    return height / 2**pools * filters


@pytest.mark.parametrize("wrong", [halved_once, with_half_rows])
def test_wrong_numbers_are_told_why(wrong):
    with pytest.raises(AssertionError, match="drops a half row"):
        check_numbers(wrong)


# ------------------------------------------------------------ build: a rule

WORDS = ("better", "worse", "as good", "undecided")


def check_rule(overall):
    for words in itertools.chain.from_iterable(
        itertools.product(WORDS, repeat=n) for n in (1, 2, 3, 4)
    ):
        better, worse = (
            sum(word == which for word in words) for which in ("better", "worse")
        )
        wanted = "not supported"
        if 2 * better > len(words) and worse == 0:
            wanted = "supported"
        if 2 * worse > len(words):
            wanted = "false"
        assert overall(list(words)) == wanted, (
            f"{words} is {wanted!r}: more than half must be better, and none worse"
        )
    with pytest.raises(ValueError, match="comparison"):
        overall([])


def test_the_rule():
    check_rule(solution(PAGE, "ex-choosing-rule")["overall"])


def exactly_half_is_enough(words):
    half = len(words) / 2
    if words.count("better") >= half and "worse" not in words:
        return "supported"
    return "false" if words.count("worse") > half else "not supported"


def losses_do_not_count(words):
    half = len(words) / 2
    if words.count("better") > half:
        return "supported"
    return "false" if words.count("worse") > half else "not supported"


@pytest.mark.parametrize("wrong", [exactly_half_is_enough, losses_do_not_count])
def test_a_wrong_rule_is_told_why(wrong):
    with pytest.raises(AssertionError, match="more than half"):
        check_rule(wrong)
