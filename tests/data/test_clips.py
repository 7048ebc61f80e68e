"""Clips: what one frame tells, what a bag of frames tells, counted clip by clip."""

import itertools
from collections import Counter

import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.checks import check_images

TASKS = "direction", "order", "bounce", "digit"
HIDDEN = TASKS[:3]  # no single frame tells
SIZES = (160, 48, 32)
OTHERS = [
    {"frames": 5, "size": (8, 17), "sizes": (40, 20, 20)},
    {"frames": 7, "size": (12, 40), "sizes": (28, 28, 28), "digits": "49"},
    {"frames": 16, "size": (80, 100), "sizes": (32, 32, 32), "digits": "35"},
]


def splits_of(dataset):
    return dataset.train, dataset.validation, dataset.test


def as_bytes(images):
    return [np.ascontiguousarray(image).tobytes() for image in images]


def numbered(frames):
    """A number for each frame, the same for equal frames."""
    numbers = {}
    return np.array([numbers.setdefault(x, len(numbers)) for x in as_bytes(frames)])


def by_class(split):
    return [split.images[split.targets == i] for i in (0, 1)]


@pytest.fixture(scope="module")
def moving():
    return {task: ct.load_moving_digits(task, sizes=SIZES, seed=2) for task in TASKS}


@pytest.fixture(scope="module")
def many(moving):
    """Every task that hides its class, in many shapes."""
    found = {(task, "as usual"): moving[task] for task in HIDDEN}
    for task, options in itertools.product(HIDDEN, OTHERS):
        name = task, options["frames"]
        found[name] = ct.load_moving_digits(task, seed=1, **options)
    return found


# What everybody may rely on


@pytest.mark.parametrize("task", TASKS)
def test_clips_are_what_the_package_expects(moving, task):
    for split, count in zip(splits_of(moving[task]), SIZES, strict=True):
        assert split.images.shape == (count, 8, 16, 32, 1)
        assert split.images.dtype == np.float32
        check_images(split.images, split.targets, rank=5)
        assert np.bincount(split.targets).tolist() == [count // 2] * 2
        runs = np.abs(np.diff(split.targets)).sum()
        assert count / 5 < runs < count * 4 / 5  # shuffled
    assert "Alpaydin" in moving[task].source and "coffee" in moving[task].source
    assert "CC BY 4.0" in moving[task].licence and "CC0" in moving[task].licence


@pytest.mark.parametrize("task", TASKS)
def test_the_seed_decides_everything(moving, task):
    again, other = (
        ct.load_moving_digits(task, sizes=SIZES, seed=seed) for seed in (2, 3)
    )
    for split, same, different in zip(
        *map(splits_of, (moving[task], again, other)), strict=True
    ):
        assert np.array_equal(split.images, same.images)
        assert np.array_equal(split.targets, same.targets)
        assert not np.array_equal(split.images, different.images)


def test_names_of_the_classes():
    names = {
        task: ct.load_moving_digits(task, sizes=(48, 48, 48), digits="27").class_names
        for task in TASKS
    }
    assert names == {
        "direction": ("to the right", "to the left"),
        "order": ("2 then 7", "7 then 2"),
        "bounce": ("bounce off", "pass through"),
        "digit": ("2", "7"),
    }


# What a frame tells


def test_no_frame_at_any_place_tells_the_class(many):
    for name, clips in many.items():
        for split in splits_of(clips):
            one, other = by_class(split)
            for k in range(one.shape[1]):
                counts = [Counter(as_bytes(part[:, k])) for part in (one, other)]
                assert counts[0] == counts[1], name
            # ... but the whole clip does
            assert not set(as_bytes(one)) & set(as_bytes(other)), name


@pytest.mark.parametrize("task", HIDDEN)
def test_whoever_looks_at_one_frame_is_right_in_exactly_half(moving, task):
    """Any network is a function of the frame: here, random ones."""
    split = moving[task].test
    for k in range(8):
        which = numbered(split.images[:, k])
        for seed in range(20):
            answers = np.random.default_rng(seed).integers(0, 2, which.max() + 1)
            assert (answers[which] == split.targets).mean() == 0.5


def test_one_frame_tells_the_digit_and_splits_share_none(moving):
    for split, known in zip(
        splits_of(moving["digit"]), splits_of(ct.load_digits(seed=2)), strict=True
    ):
        for clip, target in list(zip(split.images, split.targets, strict=True))[::4]:
            for frame in (0, 5):
                assert who(clip, known)[frame] == "AB"[target]


# What a bag of frames tells


def bags(clips):
    return Counter(tuple(sorted(as_bytes(clip))) for clip in clips)


def test_no_bag_of_frames_tells_direction_or_order(many):
    for (task, _), clips in many.items():
        if task != "bounce":
            for split in splits_of(clips):
                one, other = by_class(split)
                assert bags(one) == bags(other)


def test_the_bag_tells_who_bounces_but_no_mean_of_scores_does(moving):
    """Four clips with the same digits: those that pass are seen in both orders."""
    off, through = by_class(moving["bounce"].train)
    assert not set(bags(off)) & set(bags(through))
    assert {len(set(as_bytes(clip))) for clip in off} == {4}
    assert {len(set(as_bytes(clip))) for clip in through} == {8}
    # A bag that passes is the union of two bags that bounce: so its mean score lies in
    # the middle of theirs, and no threshold gets more than three of the four right.
    parts = {frozenset(as_bytes(clip)) for clip in off}
    for clip in through:
        assert sum(part < set(as_bytes(clip)) for part in parts) == 2


def test_a_mean_of_scores_is_right_in_three_quarters_at_most(moving):
    split = moving["bounce"].test
    which = numbered(split.images.reshape(-1, 16, 32))
    for seed in range(100):
        scores = np.random.default_rng(seed).normal(size=which.max() + 1)[which]
        means = scores.reshape(split.images.shape[:2]).mean(axis=1)
        for sign in (1, -1):
            answers = sign * means > 0
            assert (answers == split.targets).mean() <= 0.75


def test_two_neighbouring_frames_do_not_tell_the_order(many):
    for (task, _), clips in many.items():
        if task == "order":
            one, other = by_class(clips.train)
            for k in range(one.shape[1] - 1):
                pairs = [as_bytes(part[:, k : k + 2]) for part in (one, other)]
                assert Counter(pairs[0]) == Counter(pairs[1])


def test_two_neighbouring_frames_tell_the_direction(moving):
    one, other = by_class(moving["direction"].train)
    assert not set(as_bytes(one[:, :2])) & set(as_bytes(other[:, :2]))


# What happens in them


def inks(clip):
    """Undo the laying of ink over a photograph: each pixel shows it at some time."""
    behind = clip.min(axis=0)
    return np.round(16 * (clip - behind) / (1 - behind))[..., 0] / 16


def find(drawn, known):
    """Left edges of the digits 0 and 1 of a split in one frame's ink: "A", "B"."""
    ring = np.concatenate([drawn, drawn[:, :8]], axis=1).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(ring, (8, 8))
    places = {}
    for top, left in np.ndindex(views.shape[0], drawn.shape[1]):
        name = known.get(views[top, left].tobytes())
        if name is not None:
            places[name] = left
    return places


def names_of(split):
    """The images of the digits 0 and 1 of a split, to be looked up."""
    return {
        image.tobytes(): "AB"[target]
        for image, target in zip(split.images, split.targets, strict=True)
        if target < 2
    }


def who(clip, known):
    """Which digit is seen in each frame, "_" for none."""
    found = [find(drawn, names_of(known)) for drawn in inks(clip)]
    return ["".join(places) or "_" for places in found]


def test_direction(moving):
    for target, one in enumerate(by_class(moving["direction"].train)):
        for clip in one:
            drawn = inks(clip)
            moved = np.roll(drawn[:-1], 4 - 8 * target, axis=2)  # 32 pixels, 8 frames
            assert np.array_equal(moved, drawn[1:]) and drawn[0].any()


def test_order(moving):
    known = ct.load_digits(seed=2).train
    for pattern, one in zip(
        ("AA_BB___", "BB_AA___"), by_class(moving["order"].train), strict=True
    ):
        stories = Counter("".join(who(clip, known)) for clip in one)
        starts = {(2 * pattern)[first : first + 8] for first in range(8)}
        assert set(stories) == starts and set(stories.values()) == {len(one) / 8}


def test_bounce(moving):
    known = names_of(ct.load_digits(seed=2).test)
    for target, one in enumerate(by_class(moving["bounce"].test)):
        starts = Counter()
        for clip in one:
            first, last = (find(inks(clip)[k], known) for k in (0, -1))
            sides = [places["A"] < places["B"] for places in (first, last)]
            assert (sides[0] != sides[1]) == target
            starts[sides[0]] += 1
        assert starts[True] == starts[False]


def test_splits_share_no_photograph(monkeypatch):
    """Each photograph is one level of grey here."""
    levels = itertools.count(1)

    def flat(path, channels):
        return np.full((300, 384, channels), next(levels) / 17, np.float32)

    for task in TASKS:
        levels = itertools.count(1)
        monkeypatch.setattr("crnn_tutorial.data.photographs.load_image", flat)
        clips = ct.load_moving_digits(task, sizes=(160, 32, 80))
        seen = [
            {round(34 * float(clip.min())) for clip in split.images}
            for split in splits_of(clips)
        ]
        assert set.union(*seen) <= set(range(1, 18)) and all(seen)
        assert sum(map(len, seen)) == len(set.union(*seen))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "speed"}, "direction, order, bounce, digit, but got 'speed'"),
        ({"frames": 2}, "frames is from 3 to the width, 32, but got 2"),
        ({"task": "order", "frames": 4}, "frames is from 5 to"),
        ({"frames": 33}, "to the width, 32, but got 33"),
        ({"size": (7, 32)}, r"at least \(8, 16\), but got \(7, 32\)"),
        ({"size": (16, 385)}, "16 x 385 pixels does not fit"),
        ({"sizes": (40, 16, 16)}, r"multiples of 16.*nearest are \(32, 16, 16\)"),
        ({"task": "bounce", "sizes": (4, 4, 2)}, "multiples of 4, as each pair"),
        ({"task": "digit", "digits": "012", "sizes": (6, 6, 8)}, "multiples of 6"),
        ({"task": "digit", "digits": "1"}, "digits are two or more .* but got '1'"),
        ({"task": "order", "digits": "123"}, "digits are two different ones"),
        ({"task": "bounce", "digits": "11"}, "digits are two different ones"),
        ({"digits": "0a"}, "digits 0 to 9, but got '0a'"),
        ({"digits": ""}, "digits 0 to 9, but got ''"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.load_moving_digits(**arguments)


# The clips of the background page


@pytest.fixture(scope="module")
def clips():
    return ct.load_direction_clips(sizes=(160, 48, 32), seed=1)


def test_class_1_is_class_0_played_backwards(clips):
    for split in splits_of(clips):
        forward, backward = by_class(split)
        assert Counter(as_bytes(backward)) == Counter(as_bytes(forward[:, ::-1]))
        assert len(forward) == len(backward) == len(split) // 2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"frames": 3},
        {"frames": 6, "size": (12, 32)},
        {"frames": 5, "size": (8, 17)},
    ],
)
def test_no_frame_tells_the_direction_before_a_dark_background(options):
    sizes = (8 * options.get("frames", 8),) * 3
    clips = ct.load_direction_clips(sizes=sizes, **options)
    for split in splits_of(clips):
        forward, backward = by_class(split)
        for k in range(split.images.shape[1]):
            assert Counter(as_bytes(forward[:, k])) == Counter(as_bytes(backward[:, k]))
        # ... but the whole clip does
        assert not set(as_bytes(forward)) & set(as_bytes(backward))


def test_class_0_moves_to_the_right(clips):
    forward, _ = by_class(clips.train)
    for clip in forward:
        for now, then in zip(clip[:-1], clip[1:], strict=True):
            assert np.array_equal(np.roll(now, 4, axis=1), then)  # 32 pixels, 8 frames


def native(image):
    """The 8 x 8 digit in a picture, found through the ring that wraps around."""
    height, width = image.shape[:2]
    ring = np.concatenate([image, image[:, :8]], axis=1)
    for top in range(height - 7):
        for left in range(width):
            window = ring[top : top + 8, left : left + 8]
            if np.isclose(window.sum(), image.sum()):
                yield window.tobytes()


def test_clips_share_no_digit_and_use_their_own_split(clips):
    digits = ct.load_digits(seed=1)
    for split, own in zip(splits_of(clips), splits_of(digits), strict=True):
        known = set(as_bytes(own.images))
        for clip in split.images[::5]:
            assert any(digit in known for digit in native(clip[0]))


def test_clips_use_many_digits_places_and_heights(clips):
    first = clips.train.images[:, 0, :, :, 0]
    ink = {round(float(image.sum()), 3) for image in first}
    assert len(ink) >= 9  # ten digits, two may weigh the same
    tops = {int(np.flatnonzero(image.any(axis=1))[0]) for image in first}
    assert len(tops) > 3


def test_clips_are_shuffled(clips):
    assert 30 < np.abs(np.diff(clips.train.targets)).sum() < 130
