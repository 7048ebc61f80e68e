"""Textures and blocks of pages: nothing of a test was seen in training."""

import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.data import textures
from crnn_tutorial.data.text.fonts import find_fonts


def standardised(windows):
    flat = windows.reshape(-1, windows.shape[-1] * windows.shape[-2])
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


class TestTextures:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_no_crop_has_a_pixel_of_another_split(self, seed, monkeypatch):
        """Each crop is found again in the photograph, in the region of its split."""
        photograph = np.random.default_rng(9).random((20, 120)).astype(np.float32)
        monkeypatch.setattr(textures, "_texture", lambda _: photograph)
        monkeypatch.setattr(textures, "_TEXTURES", ("brick",))
        data = ct.load_textures(sizes=(60, 30, 30), size=(8, 8), seed=seed)
        windows = np.lib.stride_tricks.sliding_window_view(photograph, (8, 8))
        known, columns = standardised(windows), {}
        for part in ("train", "validation", "test"):
            match = standardised(getattr(data, part).images[..., 0]) @ known.T
            assert match.max(axis=1).min() > 0.98  # a few pixels are cut off at 0 or 1
            left = match.argmax(axis=1) % windows.shape[1]
            columns[part] = left.min(), left.max() + 8
        ends = sorted(columns.values())
        for (_, end), (start, _) in zip(ends, ends[1:], strict=False):
            assert start - end >= 4
        lengths = {part: end - start for part, (start, end) in columns.items()}
        assert lengths["train"] > lengths["test"] > 8

    def test_the_regions_are_in_another_order_in_each_photograph(self):
        rng, image = np.random.default_rng(0), np.arange(100.0)[None].repeat(3, axis=0)
        found = [textures._regions(image, rng) for _ in range(20)]
        assert {tuple(part.shape for part in parts) for parts in found} == {
            ((3, 46), (3, 23), (3, 23))
        }
        assert len({tuple(part[0, 0] for part in parts) for parts in found}) == 6

    def test_what_comes_back(self):
        data = ct.load_textures(sizes=(81, 16, 24), size=(32, 48))
        assert data.train.images.shape == (81, 32, 48, 1)
        assert data.train.images.dtype == np.float32
        assert 0 <= data.train.images.min() < data.train.images.max() <= 1
        assert data.num_classes == len(data.licence.split("; ")) == 8
        counts = np.bincount(data.train.targets)
        assert counts.sum() == 81
        assert counts.max() - counts.min() <= 1
        assert np.bincount(data.test.targets).tolist() == [3] * 8
        assert all(name in data.source for name in data.class_names)

    def test_brightness_and_contrast_do_not_tell_the_class(self):
        from sklearn.ensemble import RandomForestClassifier

        data = ct.load_textures(sizes=(1600, 8, 800))
        x, test = (
            np.stack([s.images.mean((1, 2, 3)), s.images.std((1, 2, 3))], axis=1)
            for s in (data.train, data.test)
        )
        forest = RandomForestClassifier(50, min_samples_leaf=10, random_state=0)
        score = forest.fit(x, data.train.targets).score(test, data.test.targets)
        assert score < 0.25  # chance is 0.125; galaxies are cut off at 1 and lose some

    def test_the_seed_decides(self):
        one, same, other = (
            ct.load_textures(sizes=(16, 8, 8), seed=seed) for seed in (3, 3, 4)
        )
        assert np.array_equal(one.train.images, same.train.images)
        assert np.array_equal(one.test.targets, same.test.targets)
        assert not np.array_equal(one.train.images, other.train.images)

    def test_no_loop_over_crops(self, monkeypatch):
        calls = []
        view = np.lib.stride_tricks.sliding_window_view
        monkeypatch.setattr(
            np.lib.stride_tricks,
            "sliding_window_view",
            lambda *args: calls.append(1) or view(*args),
        )
        ct.load_textures(sizes=(4000, 8, 8), size=(16, 16))
        assert len(calls) == 3 * 8  # one for each region

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"size": (64, 95)}, r"at most 303 x 94 pixels.*but got 64 x 95"),
            ({"size": (304, 10)}, r"at most 303 x 94 pixels"),
            ({"size": (0, 10)}, "pixels above 0"),
            ({"size": 64}, "two whole numbers"),
            ({"sizes": (10, 0, 10)}, "three numbers above 0"),
            ({"sizes": (10, 10)}, "three numbers above 0"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.load_textures(**arguments)

    def test_the_largest_crop_that_fits(self):
        assert ct.load_textures((8, 8, 8), (303, 94)).input_shape == (303, 94, 1)


class TestPageBlocks:
    def test_what_comes_back(self):
        data = ct.load_page_blocks(sizes=(41, 8, 12), size=(48, 80))
        assert data.class_names == ("text", "heading", "table", "picture")
        assert data.train.images.shape == (41, 48, 80, 1)
        assert data.train.images.dtype == np.float32
        assert 0 <= data.train.images.min() < data.train.images.max() <= 1
        assert np.bincount(data.test.targets).tolist() == [3] * 4

    def test_splits_share_no_font_no_word_and_no_photograph(self, monkeypatch):
        seen, split = {}, []

        def spy(name, what):
            original = getattr(textures, name)

            def called(*args):
                seen.setdefault(split[-1], set()).update(what(*args))
                return original(*args)

            monkeypatch.setattr(textures, name, called)

        blocks = textures._blocks
        monkeypatch.setattr(
            textures, "_blocks", lambda *args: split.append(args[0]) or blocks(*args)
        )
        spy("read_glyph", lambda font, *_: {font})
        spy("_photograph_path", lambda photograph: {photograph.name})
        spy("_write", lambda ink, text, *_: {text.lower()} if len(text) > 4 else set())
        ct.load_page_blocks(sizes=(120, 120, 120))
        assert set(seen) == {"train", "validation", "test"}
        assert seen["train"] & set(find_fonts("train", "a"))
        for one, other in (
            ("train", "validation"),
            ("train", "test"),
            ("validation", "test"),
        ):
            assert not seen[one] & seen[other]

    def test_words_are_made_up_once(self):
        words = textures._make_words(500, np.random.default_rng(0))
        assert len(set(words.tolist())) == 500
        assert all(word.isalpha() and 2 <= len(word) <= 9 for word in words)

    def test_writing_is_cut_off_where_the_block_ends(self):
        font = find_fonts("train", "x")[0]
        whole, part = np.zeros((40, 60), np.float32), np.zeros((12, 9), np.float32)
        pen = textures._write(whole, "wagon", font, 12, 20, 10)
        assert textures._write(part, "wagon", font, 12, 20 - 12, 10 - 14) == pen - 14
        assert np.array_equal(part, whole[12:24, 14:23])
        assert part.any()

    def test_the_seed_decides(self):
        one, same, other = (
            ct.load_page_blocks(sizes=(8, 4, 4), seed=seed) for seed in (3, 3, 4)
        )
        assert np.array_equal(one.train.images, same.train.images)
        assert not np.array_equal(one.train.images, other.train.images)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"size": (31, 64)}, "from 32 to 300 pixels"),
            ({"size": (64, 301)}, "from 32 to 300 pixels"),
            ({"size": 64}, "two whole numbers"),
            ({"sizes": (0, 1, 1)}, "three numbers above 0"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ct.load_page_blocks(**arguments)
