"""What the scripts of benchmarks/ share: the list, the hours, the rules, a try."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

import crnn_tutorial as ct
from crnn_tutorial.judging import evaluation

pytest.importorskip("nbformat")
FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def common(monkeypatch, tmp_path):
    """Import common.py as a script does, with a folder of its own for what is done."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("common")
    monkeypatch.setattr(module, "CACHE", tmp_path / "done")
    monkeypatch.setattr(sys, "argv", [str(FOLDER / "toy.py")])
    yield module
    del sys.modules["common"]


@pytest.fixture
def listing(common):
    path = FOLDER / "__main__.py"
    spec = importlib.util.spec_from_file_location("benchmarks_main", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digits(seed):
    """Make a set so small that nothing takes time; the test is always the same."""
    rng = np.random.default_rng(seed)
    loaded = ct.load_digits()
    chosen = rng.permutation(len(loaded.train))[:20]
    return ct.Dataset(
        loaded.train[chosen],
        loaded.validation[:10],
        loaded.test[:30],
        loaded.class_names,
        loaded.source,
        loaded.licence,
    )


RIVALS = {name: DummyClassifier(strategy="prior") for name in ("ours", "control")}


def compare(common, **recipe):
    return common.compare(
        "toys", RIVALS, digits, "ours", batch_size=4, epochs=1, **recipe
    )


def test_the_list_has_every_script_and_its_hours(listing):
    table = listing.table()
    for path in FOLDER.glob("*.py"):
        helps = path.stem in (
            "__main__",
            "common",
            "discriminator",
            "joint",
            "judge_of_digits",
            "text_sets",
        )
        assert (f"\n{path.stem} " in table) != helps, path.stem
    assert max(map(len, table.splitlines())) < 120


@pytest.mark.parametrize(
    ("results", "hours"),
    [
        ({"hours": 2.5, "rivals": {}}, 2.5),
        ({"a": {"hours": 1}, "b": {"hours": 0.5}, "date": "2026"}, 1.5),
        # older: 36 s for one training of each rival, of which the rules ask for 32
        ({"rivals": {"CRNN": {"seconds": 30}, "CNN": {"seconds": 6}}}, 32 / 100),
        ({"runs": [{"seconds": 1800}, {"seconds": 1800}]}, 1),
        ({"single": [1, 2]}, None),
        ({"rivals": {"probe": {"mean": 0.5}}}, None),
    ],
)
def test_hours(listing, results, hours):
    assert listing.hours(results) == (hours if hours is None else pytest.approx(hours))


def test_an_unknown_name_is_told_the_known_ones(listing):
    with pytest.raises(SystemExit, match="no benchmark 'lstm'. .* crnn_vs_lstm"):
        listing.main("lstm")


def test_the_rules_of_the_book(common, capsys):
    found = compare(common, learning_rate=3e-3)
    assert found["seeds"] == [0, 1, 2, 3, 4]
    assert found["settings"]["redraw"]
    assert found["longer"]["settings"]["epochs"] == 3
    assert ct.stored_scores(found["longer"], "ours").shape == (5, 30)
    assert "toys:" in capsys.readouterr().out


def test_killed_after_two_of_twenty_parts_it_goes_on(common, monkeypatch):
    train, asked = evaluation.train_and_evaluate, []

    def count(builders, *arguments, **options):
        if len(asked) == limit:
            raise KeyboardInterrupt
        asked.append((*builders, options["seed"], options["epochs"]))
        return train(builders, *arguments, **options)

    monkeypatch.setattr(evaluation, "train_and_evaluate", count)
    limit = 2
    with pytest.raises(KeyboardInterrupt):
        compare(common)
    assert asked == [("ours", 0, 1), ("control", 0, 1)]
    limit = None
    compare(common)
    assert len(asked) == len(set(asked)) == 2 * 5 * 2  # none of them twice
    stored = {}
    monkeypatch.setattr(ct, "save_results", lambda name, found: stored.update(found))
    common.finish("toy", {"toys": compare(common)})
    assert len(asked) == 20 and set(stored) == {"toys"}
    assert json.dumps(stored)
    compare(common)
    assert len(asked) == 40, "what is finished begins anew"


def test_changed_code_begins_anew(common, monkeypatch, tmp_path):
    before = common._folder()
    monkeypatch.setattr(common, "_sources", ["count = 3"])
    assert common._folder() != before


def test_more_images_to_draw_from_and_the_same_test(common):
    sizes = (10, 2, 6)
    few = ct.load_digit_pairs(distance=16, size=(8, 40), sizes=sizes)
    more = common.enlarge(ct.load_digit_pairs, distance=16, size=(8, 40), sizes=sizes)
    assert [len(more.train), len(more.validation)] == [10, 20]
    assert np.array_equal(few.test.images, more.test.images)


@pytest.mark.parametrize(
    "page",
    [
        "background",
        "code/preprocessing",
        "concepts/crnn_vs_lstm",
        "concepts/crnn_vs_rnn",
        "sequences/text",
        "sequences/video",
    ],
)
def test_what_chapters_define_can_be_used(common, page):
    """Also what they import in other cells; loaded sets have images to draw from."""
    names = common.definitions(page)
    sets = [one for one in names.values() if isinstance(one, ct.Dataset)]
    composed = {"background": "clips", "sequences/text": "strings"}.get(page)
    if composed:
        assert len(names[composed].validation) >= 2 * len(names[composed].train)
    assert sets or page == "sequences/video"
    networks = {"code/preprocessing": "networks", "background": "readers"}.get(page)
    if networks:
        for build in names[networks].values():
            assert build().count_params() > 0


def test_digits_of_a_chapter_are_drawn_anew(common):
    page = {}
    first, second = (common.draw_digits(page, seed) for seed in (1, 2))
    assert page["digits"] is second
    assert not np.array_equal(first.train.targets, second.train.targets)
    assert np.array_equal(first.test.images, second.test.images)


def test_a_try_takes_a_few_images_and_stores_nothing(common, monkeypatch, capsys):
    monkeypatch.setattr(common, "QUICK", True)
    monkeypatch.setattr(common, "FEW", 7)
    found = compare(common, clusters=[*range(30)])
    assert found["images"] == 7 and len(found["clusters"]) == 7
    monkeypatch.setattr(ct, "save_results", None)  # would fail if it were called
    common.finish("toy", {"toys": found})
    assert "toys, longer, ours - control:" in capsys.readouterr().out
