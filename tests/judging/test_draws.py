"""Which images a seed trains on."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from crnn_tutorial.data.splits import Dataset, Split
from crnn_tutorial.judging.draws import draw_training, prepare_draws


class TestDraws:
    labels = np.arange(60)

    def make(self, seed=None):
        images = np.eye(3)[self.labels % 3].reshape(-1, 1, 1, 3)
        parts = Split(images, self.labels)  # the target says which image it is
        return Dataset(parts[:30], parts[30:40], parts[40:], ("a",), "here", "none")

    def test_each_seed_draws_others_of_the_same_pool(self):
        dataset = self.make()
        drawn = [draw_training(dataset, seed) for seed in (0, 0, 1)]
        train = [sorted(one.train.targets.tolist()) for one in drawn]
        assert train[0] == train[1] != train[2]
        for one in drawn:
            assert (len(one.train), len(one.validation)) == (30, 10)
            pool = [*one.train.targets, *one.validation.targets]
            assert sorted(pool) == list(range(40)), "no image twice, none of the test"
            assert one.test is dataset.test
            places = one.train.images.reshape(-1, 3).argmax(axis=1)
            assert (places == one.train.targets % 3).all(), "each with its own target"

    def test_lists_and_views_are_drawn_alike(self):
        array = self.make()
        as_list = replace(
            array,
            train=Split(list(array.train.images), [*map(str, array.train.targets)]),
            validation=Split(list(array.validation.images), [*map(str, range(30, 40))]),
        )
        drawn = draw_training({"a": array, "b": as_list, "c": array}, 3)
        assert [*map(str, drawn["a"].train.targets)] == drawn["b"].train.targets
        assert drawn["a"] is drawn["c"]

    def test_what_cannot_be_drawn(self):
        dataset = self.make()
        fewer = replace(dataset, train=dataset.train[:20])
        small = replace(
            dataset, validation=Split(np.zeros((10, 2, 2, 1)), np.arange(10))
        )
        stream = replace(dataset, train=iter(()))
        for wrong, message in [
            ({"a": dataset, "b": fewer}, r"same numbers .* \[\(20, 10\), \(30, 10\)\]"),
            (small, r"one shape .* \(1, 1, 3\) and a ndarray of \(2, 2, 1\)"),
            (stream, "two splits, but got a tuple_iterator and a Split"),
        ]:
            with pytest.raises(ValueError, match=message) as error:
                draw_training(wrong, 0)
            assert "make_dataset(seed)" in str(error.value)
            assert "redraw=False" in str(error.value)

    def test_a_function_of_the_seed_is_called_with_each(self):
        asked = []

        def make(seed):
            asked.append(seed)
            return self.make()

        for make_dataset in (make, functools.partial(make)):
            draw, _ = prepare_draws(make_dataset, 5, redraw=True)
            draw(7)
        assert asked == [5, 7, 5, 7]

    def test_a_default_is_no_seed(self):
        draw, dataset = prepare_draws(self.make, 5, redraw=False)
        assert draw(7) is dataset
