"""Exercises of the page about films: solutions pass, typical errors do not."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "sequences/video"


def check_smallest_window(smallest_window):
    assert smallest_window("AA_BB___") == 3, "A, the short pause, B: three frames"
    assert smallest_window("01234567") == 2, "of a moving digit two frames are enough"
    assert smallest_window("A__B____") == 4, "the longer the pause, the more frames"
    assert smallest_window("A_B__") == 3, "windows go on from the end to the beginning"
    assert smallest_window("AB_AB_AB_") == 2, "stories of any length"
    assert smallest_window("A_B_") is None, "backwards it is the same: nothing tells"


def test_smallest_window():
    check_smallest_window(solution(PAGE, "ex-video-window")["smallest_window"])


def window_ends(story):
    """The loop is forgotten: windows end where the film ends."""
    for size in range(1, len(story) + 1):
        starts = range(len(story) - size + 1)
        forward, backward = (
            {film[k : k + size] for k in starts} for film in (story, story[::-1])
        )
        if forward != backward:
            return size
    return None


def window_as_a_bag(story):
    """Frames inside a window are taken without their order."""
    for size in range(1, len(story) + 1):
        forward, backward = (
            {"".join(sorted((2 * film)[k : k + size])) for k in range(len(story))}
            for film in (story, story[::-1])
        )
        if forward != backward:
            return size
    return None


@pytest.mark.parametrize("wrong", [window_ends, window_as_a_bag])
def test_wrong_windows(wrong):
    with pytest.raises(AssertionError):
        check_smallest_window(wrong)


def check_twin(answer):
    films = ct.load_moving_digits("direction", sizes=(16, 16, 32), size=(8, 16))
    small = ((8, 8, 16, 1), 2)
    widths = {"filters": (8, 16), "units": 20}
    crnn = ct.build_video_classifier(*small, **widths)
    twin = answer["build_twin"]()
    ratio = twin.count_params() / crnn.count_params()
    assert 0.98 <= ratio <= 1.02, f"the twin is of another size: {ratio:.2f}"
    change = answer["largest_change"]
    clips = films.test.images
    assert change(crnn, clips) > 1e-5, "the CRNN does see the order of the frames"
    assert change(twin, clips) < 1e-5, "the twin's answer depends on the order"
    assert np.array_equal(clips, films.test.images), "the clips themselves were changed"


def test_twin():
    answer = solution(PAGE, "ex-video-twin")
    check_twin(answer)
    scores = answer["scores"]
    assert 0.45 <= scores["direction"] <= 0.55  # a coin
    assert scores["digit"] > 0.9


def build_crnn():
    return ct.build_video_classifier((8, 8, 16, 1), 2, filters=(8, 16), units=20)


def change_of_answers(model, clips):
    order = np.random.default_rng(0).permutation(clips.shape[1])
    difference = model(clips) - model(clips[:, order])
    return np.abs(convert_to_numpy(difference)).max()


def change_of_places(model, clips):
    """The clips are shuffled among each other, not the frames in a clip."""
    difference = model(clips) - model(clips[::-1])
    return np.abs(convert_to_numpy(difference)).max()


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"build_twin": build_crnn, "largest_change": change_of_answers}, "depends on"),
        (
            {
                "build_twin": lambda: ct.build_video_classifier(
                    (8, 8, 16, 1),
                    2,
                    filters=(8, 16),
                    units=20,
                    recurrence="order_blind",
                ),
                "largest_change": change_of_answers,
            },
            "another size",
        ),
        (
            {
                "build_twin": lambda: ct.twin(ct.build_video_classifier, "order_blind")(
                    (8, 8, 16, 1), 2, filters=(8, 16), units=20
                ),
                "largest_change": change_of_places,
            },
            "depends on",
        ),
    ],
)
def test_wrong_twins(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_twin(wrong)


def check_stack(stack_clips):
    rng = np.random.default_rng(0)
    clips = [rng.uniform(size=(n, 8, 16, 1)).astype("float32") for n in (3, 7, 1)]
    stacked = stack_clips(clips)
    assert stacked.shape == (3, 7, 8, 16, 1), "as many frames as the longest has"
    assert stacked.dtype == np.float32, "the package's arrays are float32"
    for one, clip in zip(stacked, clips, strict=True):
        assert np.array_equal(one[: len(clip)], clip), "the film comes first"
        assert (one[len(clip) :] == -1).all(), "padding is -1: black is a picture, too"
    ct.set_seed(0)
    model = ct.build_video_classifier((None, 8, 16, 1), 2, filters=(2,), units=4)
    together = convert_to_numpy(model(stacked))
    alone = [convert_to_numpy(model(clip[None]))[0] for clip in clips]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_stack():
    check_stack(solution(PAGE, "ex-video-stack")["stack_clips"])


def stack_on_black(clips):
    longest = max(map(len, clips))
    return np.stack([np.pad(c, [(0, longest - len(c)), *[(0, 0)] * 3]) for c in clips])


def stack_from_the_end(clips):
    longest = max(map(len, clips))
    return np.stack(
        [
            np.pad(c, [(longest - len(c), 0), *[(0, 0)] * 3], constant_values=-1)
            for c in clips
        ]
    )


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [(stack_on_black, "black is a picture"), (stack_from_the_end, "comes first")],
)
def test_wrong_stacks(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_stack(wrong)
