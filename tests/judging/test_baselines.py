"""The baseline for features: what it averages, and what it cannot know."""

import numpy as np
import pytest

import crnn_tutorial as ct


def features(seed=0, number=60, frames=7, size=5):
    """Class means that differ, in noise; frames of -1 at the end of some clips."""
    rng = np.random.default_rng(seed)
    targets = np.arange(number) % 3
    clips = rng.normal(size=(number, frames, size)) + 2 * np.eye(size)[targets][:, None]
    for clip, length in zip(clips, rng.integers(1, frames + 1, number), strict=True):
        clip[length:] = -1
    return ct.Split(clips.astype("float32"), targets)


def fitted(split, shape=None):
    baseline = ct.nearest_class_mean(shape or split.images.shape[1:])
    return baseline.fit(split.images.reshape(len(split), -1), split.targets)


def test_it_is_the_nearest_mean_of_the_means_by_hand():
    train, test = features(0), features(1)
    means = [
        np.stack([clip[(clip != -1).any(axis=1)].mean(axis=0) for clip in split.images])
        for split in (train, test)
    ]
    centres = np.stack([means[0][train.targets == k].mean(axis=0) for k in range(3)])
    distances = np.linalg.norm(means[1][:, None] - centres, axis=-1)
    answers = fitted(train).predict(test.images.reshape(len(test), -1))
    assert (answers == distances.argmin(axis=1)).all()
    assert ct.evaluate(fitted(train), test).score > 0.8


def test_more_padding_changes_no_answer():
    train, test = features(0), features(1)
    rest = np.full((len(test), 4, 5), -1, "float32")
    longer = np.concatenate([test.images, rest], axis=1)
    baseline = fitted(train, (None, 5))
    answers = [baseline.predict(x.reshape(len(x), -1)) for x in (test.images, longer)]
    assert (answers[0] == answers[1]).all()


def test_it_cannot_know_the_order_of_frames():
    clips = ct.load_moving_digits("direction", sizes=(64, 16, 32))
    parts = {"": ct.nearest_class_mean(clips.input_shape)}
    found = ct.train_and_evaluate(parts, clips, batch_size=1, epochs=1)
    assert found[""].score == 0.5


@pytest.mark.parametrize("shape", [(7, None), (8, 16, 32), 8, (0, 5)])
def test_shapes_that_are_refused(shape):
    with pytest.raises(ValueError, match="input_shape is .frames or None, "):
        ct.nearest_class_mean(shape)


def test_numbers_that_are_refused():
    split = features()
    with pytest.raises(ValueError, match=r"whole frames of 4 .* \(60, 35\)"):
        fitted(split, (None, 4))
    split.images[3] = -1
    with pytest.raises(ValueError, match="Clip 3 has no real frame"):
        fitted(split)
