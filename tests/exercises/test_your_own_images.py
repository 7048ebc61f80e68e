"""The exercises of "Your own images": solutions pass, wrong answers fail."""

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "code/your_own_images"

# ------------------------------------------------------------ predict: the shares


def check_sizes(sizes, folder):
    shade = 0
    for name, count in (("cat", 40), ("dog", 9), ("owl", 3)):
        (folder / name).mkdir()
        for i in range(count):
            Image.new("L", (4, 4), shade).save(folder / name / f"{i}.png")
            shade += 1
    data = ct.load_image_folder(folder, size=(4, 4))
    train, validation, test = sizes()
    assert train + validation + test == 52, "each of the 52 pictures goes somewhere"
    right = (len(data.train), len(data.validation), len(data.test))
    assert (train, validation, test) == right, (
        "the shares are taken of each class, at least one picture each"
    )


def test_the_sizes_agree_with_the_package(tmp_path):
    check_sizes(solution(PAGE, "ex-own-shares")["sizes"], tmp_path)


@pytest.mark.parametrize(
    "wrong, words",
    [((36, 8, 7), "goes somewhere"), ((38, 7, 7), "of each class")],
)
def test_wrong_sizes_are_told_why(tmp_path, wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_sizes(lambda: wrong, tmp_path)


# ------------------------------------------------------------ change: balanced


def check_balanced(balanced):
    targets = np.array([0] * 90 + [1] * 10)
    always = np.zeros(100, int)
    assert balanced(targets, always) != pytest.approx(0.9), (
        "that is the plain accuracy: 90 cats outvote 10 owls"
    )
    assert balanced(targets, always) == pytest.approx(0.5), (
        "one class is all right and one all wrong: the average is a half"
    )
    missing = np.array([0, 0, 2])
    assert balanced(missing, np.array([0, 1, 2])) == pytest.approx(0.75), (
        "class 1 does not occur in the targets: average over 0 and 2 only"
    )


def test_balanced_counts_every_class():
    check_balanced(solution(PAGE, "ex-own-recall")["balanced"])


def plain(targets, answers):
    return float(np.mean(targets == answers))


def with_empty_classes(targets, answers):
    count = 1 + max(targets.max(), answers.max())
    right = [(answers[targets == k] == k).sum() for k in range(count)]
    sizes = [max((targets == k).sum(), 1) for k in range(count)]
    return float(np.mean(np.divide(right, sizes))) if count > 2 else 0.5


@pytest.mark.parametrize(
    "wrong, words",
    [(plain, "plain accuracy"), (with_empty_classes, "does not occur")],
)
def test_an_unbalanced_score_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_balanced(wrong)


# ------------------------------------------------------------ build: scenes


def check_split(split_scenes):
    counts = {"lawn1": 4, "old_wall": 10, "wall3": 5, "wall31": 6}
    names = [f"{s}_{i:02}.png" for s, n in counts.items() for i in range(n)]
    train, test = split_scenes(names, 0.3)
    assert sorted([*train, *test]) == sorted(names), "a file is lost, or in both"
    scenes = [{name.rsplit("_", 1)[0] for name in part} for part in (train, test)]
    assert not scenes[0] & scenes[1], "a scene is in both: its files are near copies"
    assert len(test) >= 0.3 * len(names), (
        "the test is smaller than its share: go on until it is large enough"
    )
    assert scenes[1] == {"lawn1", "old_wall"}, (
        "whole scenes in alphabetical order, and no more than are needed"
    )


def test_no_scene_is_on_both_sides():
    check_split(solution(PAGE, "ex-own-groups")["split_scenes"])


def by_file(names, share):
    cut = round(share * len(names))
    return names[cut:], names[:cut]


def one_scene(names, share):
    first = min(names).rsplit("_", 1)[0]
    test = [name for name in names if name.rsplit("_", 1)[0] == first]
    return [name for name in names if name not in test], test


@pytest.mark.parametrize(
    "wrong, words", [(by_file, "near copies"), (one_scene, "smaller than its share")]
)
def test_an_unfair_split_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_split(wrong)
