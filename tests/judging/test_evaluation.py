"""Evaluate, compare, run over seeds: on models whose answers are known beforehand."""

import json
import socket
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import crnn_tutorial as ct
from crnn_tutorial.data.splits import Dataset, Split
from crnn_tutorial.data.text.stacking import stack_text_images
from crnn_tutorial.judging import evaluation, seeds
from crnn_tutorial.judging import results as measured
from crnn_tutorial.judging.evaluation import (
    Evaluation,
    ResultTable,
    compare,
    evaluate,
)


def one_hot(answers):
    """Images of three pixels, of which the answer's is white."""
    return np.eye(3, dtype="float32")[answers].reshape(-1, 1, 1, 3)


def show_answer(reverse=False):
    """A model that answers with the place of the white pixel: nothing to learn."""
    inputs = keras.Input((1, 1, 3))
    x = keras.layers.Flatten()(inputs)
    dense = keras.layers.Dense(3, activation="softmax", name="probabilities")
    model = keras.Model(inputs, dense(x))
    kernel = np.eye(3)[::-1] if reverse else np.eye(3)
    dense.set_weights([kernel, np.zeros(3)])
    model.compile(loss="sparse_categorical_crossentropy")
    return model


ANSWERS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
TARGETS = np.array([0, 1, 2, 0, 1, 2, 1, 0])  # the last two answers are wrong
SPLIT = Split(one_hot(ANSWERS), TARGETS)
TRAIN = Split(one_hot(TARGETS), TARGETS)  # here all answers are right
DATASET = Dataset(TRAIN, SPLIT[:6], SPLIT, ("a", "b", "c"), "made here", "none")


class Images:
    """Like an array, but it notes how many are asked for at once."""

    shape = SPLIT.images.shape

    def __init__(self):
        self.asked = []

    def __len__(self):
        return len(SPLIT.images)

    def __getitem__(self, index):
        self.asked.append(len(SPLIT.images[index]))
        return SPLIT.images[index]


class Stream(keras.utils.PyDataset):
    """Shuffled batches of three images, read when they are asked for."""

    targets = TARGETS
    order = np.array([6, 2, 4, 1, 0, 7, 3, 5])

    def __init__(self):
        super().__init__()
        self.images = Images()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        chosen = self.order[3 * index : 3 * index + 3]
        return self.images[chosen], TARGETS[chosen]


def row(score=0.5, metric="accuracy", **options):
    low, high = max(score - 0.1, 0), min(score + 0.1, 1)
    return Evaluation(metric, score, low, high, np.ones(360), **options)


class TestEvaluate:
    def test_a_keras_model(self):
        found = evaluate(show_answer(), SPLIT, seconds=1.5)
        assert found.metric == "accuracy"
        assert found.score == 6 / 8
        assert found.low < found.score < found.high
        assert found.per_image.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
        assert found.parameters == 3 * 3 + 3
        assert found.multiplications == 3 * 3
        assert (found.images, found.seconds) == (8, 1.5)

    def test_a_layer_that_cannot_be_counted_leaves_a_dash(self):
        inputs = keras.Input((4, 4, 1))
        x = keras.layers.Conv2DTranspose(2, 3)(inputs)
        x = keras.layers.GlobalAveragePooling2D()(x)
        outputs = keras.layers.Dense(3, activation="softmax")(x)
        split = Split(np.zeros((2, 4, 4, 1), "float32"), np.array([0, 1]))
        found = evaluate(keras.Model(inputs, outputs), split)
        assert found.multiplications is None
        assert found.parameters == 9 * 2 + 2 + 2 * 3 + 3

    def test_linear_classifiers_have_parameters(self):
        flat = SPLIT.images.reshape(8, -1)
        bare = LogisticRegression().fit(flat, TARGETS)
        found = evaluate(bare, SPLIT)
        assert found.score == bare.score(flat, TARGETS)
        assert (found.parameters, found.multiplications) == (12, 9)
        scaled = make_pipeline(StandardScaler(), LogisticRegression())
        found = evaluate(scaled.fit(flat, TARGETS), SPLIT)
        assert (found.parameters, found.multiplications) == (12, None)

    @pytest.mark.parametrize("classifier", [SVC(), RandomForestClassifier(3)])
    def test_other_classifiers_have_none_to_count(self, classifier):
        found = evaluate(classifier.fit(SPLIT.images.reshape(8, -1), TARGETS), SPLIT)
        assert (found.parameters, found.multiplications) == (None, None)
        assert "– parameters" in repr(found)

    def test_the_repr_is_one_readable_line(self):
        found = Evaluation("accuracy", 0.983, 0.969, 0.994, np.ones(360), 20_304)
        assert repr(found) == (
            "Evaluation(accuracy 98.3 % [96.9, 99.4], 360 images, 20,304 parameters)"
        )

    @pytest.mark.parametrize(
        ("model", "split", "message"),
        [
            (show_answer(), SPLIT.images, "split with images and targets.* ndarray"),
            (show_answer(), SPLIT[:0], "The split is empty"),
            ("model.keras", SPLIT, "keras.Model or a fitted .* but got str"),
        ],
    )
    def test_bad_input(self, model, split, message):
        with pytest.raises(ValueError, match=message):
            evaluate(model, split)


class Tables(HTMLParser):
    """Collects the tables of a page: captions, header cells with scope, rows."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.tags, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": [], "strong": []})
            self.tables[-1]["folded"] = "details" in self.open
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("th", "td"):
            self.tables[-1]["rows"][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags are closed in order"

    def handle_data(self, data):
        if "caption" in self.open:
            self.tables[-1]["caption"] += data
        elif "th" in self.open or "td" in self.open:
            self.tables[-1]["rows"][-1][-1] += data
            if "strong" in self.open:
                self.tables[-1]["strong"].append(data)


class TestCompare:
    table = compare(
        {
            "CRNN": row(0.98, parameters=20_304, multiplications=98_304, seconds=21.34),
            "CNN <script>": row(0.97, parameters=1_234_567, seconds=3.21),
            "forest": row(0.96),
        },
    )

    def test_html_has_four_columns_and_folds_the_rest(self):
        shown, folded = Tables(self.table._repr_html_()).tables
        assert shown["rows"] == [
            ["who", "accuracy [95 %]", "parameters", "seconds"],
            ["CRNN", "98.0 % [88.0, 100.0]", "20,304", "21"],
            ["CNN <script>", "97.0 % [87.0, 100.0]", "1,234,567", "3.2"],
            ["forest", "96.0 % [86.0, 100.0]", "–", "–"],
        ]
        assert folded["rows"] == [
            ["who", "multiplications", "images"],
            ["CRNN", "98,304", "360"],
            ["CNN <script>", "–", "360"],
            ["forest", "–", "360"],
        ]
        assert not shown["folded"] and folded["folded"]

    def test_html_marks_the_best_row_and_no_other(self):
        shown, folded = Tables(self.table._repr_html_()).tables
        assert "".join(shown["strong"]) == "CRNN98.0 % [88.0, 100.0]20,30421"
        assert folded["strong"] == []

    def test_html_is_accessible_and_escaped(self):
        page = self.table._repr_html_()
        parsed = Tables(page)
        assert parsed.open == [], "every tag is closed"
        assert "<script>" not in page and "&lt;script&gt;" in page
        scopes = [a.get("scope") for tag, a in parsed.tags if tag == "th"]
        assert scopes == ["col"] * 4 + ["row"] * 3 + ["col"] * 3 + ["row"] * 3
        assert all(table["caption"] for table in parsed.tables)
        assert "summary" in dict(parsed.tags)
        page = compare({"a": row()}, caption="1 < 2")._repr_html_()
        assert "<caption>1 &lt; 2</caption>" in page

    def test_text_is_aligned(self):
        caption, *lines = self.table.text.splitlines()
        assert caption == (
            "accuracy on 360 images, 95 % intervals over the images; "
            "bold: highest score"
        )
        assert len({len(line) for line in lines}) == 1
        pipes = [[i for i, c in enumerate(line) if c == "|"] for line in lines]
        assert all(places == pipes[0] for places in pipes)
        assert lines[2].startswith("| **CRNN**     |")
        assert lines[4].endswith("|          – |       – |")

    def test_text_shows_the_rest_below(self):
        assert repr(self.table).startswith(self.table.text)
        assert "CRNN: 98,304 multiplications for an image, 360 images" in repr(
            self.table
        )

    def test_a_pipe_in_a_name_does_not_end_the_cell(self):
        assert "a\\|b" in compare({"a|b": row()}).text

    def test_equals_are_both_best(self):
        assert compare({"a": row(0.9), "b": row(0.9), "c": row(0.8)}).best == ["a", "b"]

    def test_a_score_without_interval(self):
        lonely = Evaluation("PSNR", 31.5, np.nan, np.nan, np.full(9, 31.5))
        shown = Tables(compare({"bicubic": lonely})._repr_html_()).tables[0]
        assert shown["rows"][1][1] == "31.5"

    def test_models_are_evaluated_on_the_split(self):
        rivals = {"right": show_answer(), "turned": show_answer(reverse=True)}
        table = compare(rivals, split=SPLIT)
        assert isinstance(table, ResultTable)
        assert [r.score for r in table.rows.values()] == [6 / 8, 2 / 8]
        assert table.best == ["right"]

    def test_bad_input(self):
        with pytest.raises(ValueError, match="nobody to compare"):
            compare({})
        with pytest.raises(ValueError, match="pass split=dataset.test"):
            compare({"CRNN": show_answer()})
        with pytest.raises(ValueError, match=r"one metric.*'PSNR', 'accuracy'"):
            compare({"a": row(), "b": row(metric="PSNR")})


@pytest.fixture
def calls(monkeypatch):
    """Replace the training by one that notes what it was called with."""
    noted = []

    def train(model, images, targets, batch_size, epochs, *, seed, **options):
        if isinstance(images, Split):
            images, targets = images.images, images.targets
        call = {"seed": seed, "epochs": epochs, "images": images, "targets": targets}
        noted.append({**call, **options})
        history = {"loss": [2.0, np.float32(1 / 3)], "val_loss": [1.0, np.nan]}
        return SimpleNamespace(seconds=2.0 + seed, history=history)

    def set_seed(seed):
        noted.append(("set_seed", seed))

    monkeypatch.setattr(evaluation, "set_seed", set_seed)
    monkeypatch.setattr(evaluation, "train_crnn_model", train)
    return noted


class TestTrainAndEvaluate:
    def test_each_rival_gets_the_same_seed_data_and_options(self, calls):
        found = evaluation.train_and_evaluate(
            {"right": show_answer, "turned": lambda: show_answer(reverse=True)},
            DATASET,
            batch_size=2,
            epochs=3,
            seed=7,
            augment="shift",
        )
        assert [f.score for f in found.values()] == [6 / 8, 2 / 8]
        assert [f.seconds for f in found.values()] == [9, 9]
        assert calls[0] == calls[2] == ("set_seed", 7)
        for call in (calls[1], calls[3]):
            assert call["images"] is TRAIN.images
            assert call["validation_data"] is DATASET.validation
            assert (call["seed"], call["epochs"], call["augment"]) == (7, 3, "shift")

    def test_the_test_split_unless_told_otherwise(self, calls):
        options = {"batch_size": 2, "epochs": 1}
        rivals = {"right": show_answer}
        found = evaluation.train_and_evaluate(rivals, DATASET, **options)
        assert found["right"].images == 8
        options["evaluate_on"] = "validation"
        found = evaluation.train_and_evaluate(rivals, DATASET, **options)
        assert found["right"].images == 6

    def test_several_tests_of_the_same_trained_rivals(self, calls):
        found = evaluation.train_and_evaluate(
            {"right": show_answer, "turned": lambda: show_answer(reverse=True)},
            DATASET,
            batch_size=2,
            epochs=1,
            evaluate_on={"all": SPLIT, "easy": SPLIT[:6]},
        )
        assert [len(calls), list(found)] == [4, ["all", "easy"]]  # trained once each
        scores = {
            name: [e.score for e in test.values()] for name, test in found.items()
        }
        assert scores == {"all": [6 / 8, 2 / 8], "easy": [1.0, 1 / 3]}
        assert found["easy"]["right"].images == 6

    def test_each_rival_may_have_its_own_form_of_the_images(self, calls):
        """Reversed pictures show the white pixel at the mirrored place."""
        mirrored = replace(
            DATASET,
            train=Split(TRAIN.images[..., ::-1], TRAIN.targets),
            test=Split(SPLIT.images[..., ::-1], SPLIT.targets),
        )
        found = evaluation.train_and_evaluate(
            {"as it is": show_answer, "mirrored": show_answer},
            {"as it is": DATASET, "mirrored": mirrored},
            batch_size=2,
            epochs=1,
        )
        assert calls[1]["images"] is TRAIN.images
        assert calls[3]["images"] is mirrored.train.images
        assert [f.score for f in found.values()] == [6 / 8, 2 / 8]

    def test_rivals_with_other_questions_cannot_be_paired(self, calls):
        other = replace(DATASET, test=Split(SPLIT.images, SPLIT.targets[::-1]))
        rivals = {"one": show_answer, "two": show_answer}
        options = {"batch_size": 2, "epochs": 1}
        with pytest.raises(ValueError, match="different targets"):
            evaluation.train_and_evaluate(
                rivals, {"one": DATASET, "two": other}, **options
            )
        with pytest.raises(ValueError, match=r"\['two'\] have none"):
            evaluation.train_and_evaluate(rivals, {"one": DATASET}, **options)

    def test_a_stream_is_trained_on_as_a_stream(self, calls):
        dataset = Dataset(Stream(), SPLIT, SPLIT, ("a", "b", "c"), "here", "none")
        found = evaluation.train_and_evaluate(
            {"right": show_answer}, dataset, batch_size=2, epochs=1
        )
        assert calls[1]["images"] is dataset.train
        assert found["right"].score == 6 / 8

    def test_classifiers_are_copied_seeded_and_fitted(self, calls):
        forest = make_pipeline(StandardScaler(), RandomForestClassifier(2))
        scores = [
            evaluation.train_and_evaluate(
                {"forest": forest}, DATASET, batch_size=2, epochs=1, seed=seed
            )["forest"]
            for seed in (0, 0)
        ]
        assert not hasattr(forest[-1], "classes_"), "the reader's own is untouched"
        assert scores[0].per_image.tolist() == scores[1].per_image.tolist()
        assert scores[0].seconds > 0

    def test_the_seed_reaches_a_classifier_inside_a_pipeline(self):
        forest = make_pipeline(StandardScaler(), RandomForestClassifier(2))
        model, _ = evaluation._fit_classifier(forest, SPLIT, seed=5)
        assert model[-1].random_state == 5

    def test_bad_input(self, calls):
        options = {"batch_size": 2, "epochs": 1}
        with pytest.raises(ValueError, match='"test" or "validation" or {name: split}'):
            evaluation.train_and_evaluate(
                {"right": show_answer}, DATASET, evaluate_on="train", **options
            )
        with pytest.raises(ValueError, match="nobody to train"):
            evaluation.train_and_evaluate({}, DATASET, **options)
        with pytest.raises(ValueError, match="or to test"):
            evaluation.train_and_evaluate(
                {"right": show_answer}, DATASET, evaluate_on={}, **options
            )

    def test_with_the_real_training(self):
        """Twenty small epochs suffice to learn which pixel is white."""
        images = one_hot(np.tile(ANSWERS, 20))
        split = Split(images, np.tile(ANSWERS, 20))
        dataset = Dataset(split, split[:6], split, ("a", "b", "c"), "made here", "none")

        def build():
            model = show_answer(reverse=True)
            model.compile(
                "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
            )
            model.optimizer.learning_rate = 0.1
            return model

        found = evaluation.train_and_evaluate(
            {"dense": build}, dataset, batch_size=16, epochs=20
        )
        assert found["dense"].score == 1
        assert found["dense"].seconds > 0


class TestRunSeeds:
    @pytest.fixture
    def results(self, calls):
        self.made = 0

        def make_dataset():
            self.made += 1
            return DATASET

        def make_builders(dataset):
            assert dataset is DATASET
            return {
                "wrong": lambda: show_answer(reverse=True),
                "right": show_answer,
                "guess": DummyClassifier(strategy="constant", constant=0),
            }

        return ct.run_seeds(
            make_builders, make_dataset, [3, 4, 5], "right", batch_size=2, epochs=1
        )

    def test_every_rival_meets_every_seed_on_one_dataset(self, results, calls):
        assert self.made == 1
        trained = [call["seed"] for call in calls if isinstance(call, dict)]
        assert trained == [3, 3, 4, 4, 5, 5]
        assert results["seeds"] == [3, 4, 5]
        assert (results["metric"], results["images"]) == ("accuracy", 8)
        right = results["rivals"]["right"]
        assert right["scores"] == [6 / 8] * 3
        assert right["mean"] == 6 / 8
        assert right["seconds"] == 2 + 4
        assert (right["parameters"], right["multiplications"]) == (12, 9)

    def test_ours_is_judged_against_each_other(self, results):
        judged = results["judgements"]
        assert list(judged) == ["wrong", "guess"]
        assert judged["wrong"]["difference"] == 6 / 8 - 2 / 8
        assert judged["wrong"]["claim"] == "right is better than wrong"
        assert judged["wrong"]["seeds"] == 3
        assert judged["wrong"]["sentence"].startswith(judged["wrong"]["word"])
        assert judged["guess"]["low"] < judged["guess"]["difference"]

    def test_machine_and_versions_but_no_name_or_path(self, results):
        assert results["machine"]["cores"] >= 1
        assert results["machine"]["cpu"]
        assert results["versions"]["keras"] == keras.__version__
        text = json.dumps(results)
        assert socket.gethostname() not in text
        assert str(Path.home()) not in text and str(Path.cwd()) not in text
        assert str(Path(__file__).parent) not in results["command"]

    def test_several_tests_are_judged_each_on_its_own(self, results, calls):
        several = ct.run_seeds(
            lambda _: {
                "right": show_answer,
                "wrong": lambda: show_answer(reverse=True),
            },
            lambda: DATASET,
            [3, 4, 5],
            "right",
            2,
            1,
            evaluate_on={"all": SPLIT, "easy": SPLIT[:6]},
        )
        assert list(several["tests"]) == ["all", "easy"]  # the first is the main one
        for key in ("metric", "images", "rivals", "judgements"):
            assert several[key] == several["tests"]["all"][key]
        assert several["judgements"]["wrong"] == results["judgements"]["wrong"]
        easy = several["tests"]["easy"]
        assert easy["images"] == easy["judgements"]["wrong"]["images"] == 6
        assert easy["rivals"]["right"]["scores"] == [1.0] * 3
        assert easy["judgements"]["wrong"]["difference"] == pytest.approx(4 / 6)

    def test_scores_of_all_images_together_are_stored_for_each_seed(self):
        scores = np.array([1.0, 0.5])
        found = [
            Evaluation("F-score", 0.75, 0, 1, scores, seconds=1, also={"AP50": ap})
            for ap in (0.5, 0.75)
        ]
        assert seeds._summary(found)["also"] == {"AP50": [0.5, 0.75]}
        assert "also" not in seeds._summary([replace(one, also={}) for one in found])

    def test_it_saves_what_it_returns(self, results, calls, monkeypatch, tmp_path):
        monkeypatch.setattr(measured, "_results_folders", lambda: [tmp_path])
        again = ct.run_seeds(
            lambda _: {"a": show_answer, "b": show_answer},
            lambda: DATASET,
            range(2),
            "a",
            2,
            1,
            name="two_equals",
        )
        assert ct.load_results("two_equals") == again
        assert again["judgements"]["b"]["verdict"] == "not supported"

    def again(self, found, ours="right"):
        """Judge what was stored once more."""
        for name, stored in found["judgements"].items():
            scores = [ct.stored_scores(found, rival) for rival in (ours, name)]
            yield ct.judge(*scores, clusters=found.get("clusters")), stored

    def test_what_is_stored_can_be_judged_again(self, results):
        stored = json.loads(json.dumps(results))
        assert isinstance(stored["rivals"]["right"]["packed"][0], str)
        scores = ct.stored_scores(stored, "right")
        assert scores.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]] * 3
        for found, told in self.again(stored):
            assert found.word == told["word"]
            assert found.sentence == told["sentence"]
            assert replace(found, claim=told["claim"]) == ct.Judgement.of(told)

    def test_scores_between_0_and_1_are_stored_as_they_are(self):
        scores = np.random.default_rng(0).random(8)
        found = {"images": 8, "rivals": {"a": {"packed": [measured._pack(scores)] * 2}}}
        assert ct.stored_scores(found, "a").tolist() == [scores.tolist()] * 2
        with pytest.raises(ValueError, match=r"one of \['a'\], but got 'b'"):
            ct.stored_scores(found, "b")
        with pytest.raises(ValueError, match="stored no scores of single images"):
            ct.stored_scores({"rivals": {"a": {"scores": [1]}}}, "a")

    def test_curves_of_each_seed_and_the_command(self, results):
        rivals = results["rivals"]
        curve = {"loss": [2.0, 0.33333], "val_loss": [1.0, None]}
        assert rivals["right"]["curves"] == [curve] * 3
        assert rivals["guess"]["curves"] == [None] * 3
        assert results["command"].startswith("python ")
        assert results["settings"] == {"batch_size": 2, "epochs": 1, "redraw": True}
        assert self.run(learning_rate=0.1)["settings"]["learning_rate"] == 0.1

    def run(self, dataset=DATASET, chosen=(0, 1), **options):
        rivals = {"right": show_answer, "wrong": lambda: show_answer(reverse=True)}
        return ct.run_seeds(
            lambda _: rivals, lambda: dataset, chosen, "right", 2, 1, **options
        )

    def test_a_seed_draws_its_training_images(self, calls):
        self.run()
        trained = [call["images"] for call in calls if isinstance(call, dict)]
        assert (trained[0] == trained[1]).all(), "all rivals of a seed see the same"
        assert not (trained[0] == trained[2]).all()
        calls.clear()
        self.run(redraw=False)
        trained = [call["images"] for call in calls if isinstance(call, dict)]
        assert all(images is TRAIN.images for images in trained)

    def test_the_test_must_stay(self, calls):
        def make(seed):
            return replace(
                DATASET, test=SPLIT[np.random.default_rng(seed).permutation(8)]
            )

        with pytest.raises(ValueError, match="test changes with the seed"):
            ct.run_seeds(lambda _: {"a": show_answer}, make, [0, 1], "a", 2, 1)

    def test_images_of_one_source_count_once(self, calls):
        found = self.run(clusters=[0, 0, 1, 1, 2, 2, 3, 3], margin=0.5)
        judged = found["judgements"]["wrong"]
        assert judged["clusters"] == 4
        assert judged["margin"] == 0.5
        for again, told in self.again(found):
            assert (again.low, again.high) == (told["low"], told["high"])
        parts = {"evaluate_on": {"all": SPLIT, "easy": SPLIT[:6]}}
        labels = {"easy": [0, 0, 1, 1, 2, 2]}
        found = self.run(clusters=labels, **parts)["tests"]
        assert found["easy"]["judgements"]["wrong"]["clusters"] == 3
        assert found["all"]["judgements"]["wrong"]["clusters"] is None

    def test_each_network_keeps_its_best_learning_rate(self, calls, monkeypatch):
        """Scores by hand: "right" is best with 0.1, "wrong" with 0.3; 1.0 diverges."""
        best = {"right": 0.1, "wrong": 0.3}
        asked = []

        def train_and_evaluate(builders, dataset, *, learning_rate, **options):
            [name] = builders
            asked.append((name, learning_rate, options.get("evaluate_on")))
            if learning_rate == 1.0:
                raise FloatingPointError
            score = 1 - abs(learning_rate - best[name])
            scores = np.full(8, score)
            return {name: Evaluation("accuracy", score, 0, 1, scores, seconds=1)}

        monkeypatch.setattr(evaluation, "train_and_evaluate", train_and_evaluate)
        found = self.run(learning_rates=[1.0, 0.1, 0.3])
        for name, rate in best.items():
            rates = found["rivals"][name]["learning_rates"]
            assert rates["tried"] == [1.0, 0.1, 0.3]
            assert rates["validation"][0] is None
            assert rates["chosen"] == rate
            tries = [(r, on) for who, r, on in asked if who == name]
            choice = [(r, "validation") for r in (1.0, 0.1, 0.3)]
            assert tries == [*choice, (rate, None), (rate, None)]
        with pytest.raises(ValueError, match="but not both"):
            self.run(learning_rates=[0.1], learning_rate=0.1)

    def test_a_longer_run_stands_beside_the_quick_one(self, calls):
        found = self.run(longer=3)
        trained = [call["epochs"] for call in calls if isinstance(call, dict)]
        assert trained == [1] * 4 + [3] * 4
        longer = found["longer"]
        assert (found["settings"]["epochs"], longer["settings"]["epochs"]) == (1, 3)
        assert longer["judgements"] == found["judgements"]
        assert ct.stored_scores(longer, "right").shape == (2, 8)

    def test_what_was_done_is_not_done_again(self, calls, monkeypatch, tmp_path):
        """Two rivals, two seeds, one learning rate to try: five trainings."""
        train, asked = evaluation.train_and_evaluate, []
        rivals = {"right": show_answer, "guess": DummyClassifier()}

        def run(killed_after=None):
            asked.clear()

            def count(builders, *arguments, **options):
                if len(asked) == killed_after:
                    raise KeyboardInterrupt
                asked.append((*builders, options["seed"], options.get("evaluate_on")))
                return train(builders, *arguments, **options)

            monkeypatch.setattr(evaluation, "train_and_evaluate", count)
            return ct.run_seeds(
                lambda _: rivals,
                lambda: DATASET,
                [0, 1],
                "right",
                2,
                1,
                learning_rates=[0.1],
                keep=tmp_path / "parts",
            )

        with pytest.raises(KeyboardInterrupt):
            run(killed_after=2)
        first = [*asked]
        assert first == [("right", 0, "validation"), ("right", 0, None)]
        found = run()
        assert asked == [("guess", 0, None), ("right", 1, None), ("guess", 1, None)]
        again = run()
        assert asked == []
        for key in ("rivals", "judgements", "hours"):
            assert again[key] == found[key]

    def test_other_options_are_another_part(self, calls, tmp_path):
        for epochs, batch_size in ((1, 2), (3, 2), (1, 4), (1, 2)):
            ct.run_seeds(
                lambda _: {"right": show_answer, "wrong": show_answer},
                lambda: DATASET,
                [0, 1],
                "right",
                batch_size,
                epochs,
                keep=tmp_path,
            )
        trained = [call for call in calls if isinstance(call, dict)]
        assert len(trained) == 3 * 4, "the last call finds all that the first has kept"

    def test_a_bar_shows_how_far_it_is(self, calls, capsys):
        self.run(longer=3)
        assert capsys.readouterr().out == ""
        self.run(longer=3, learning_rates=[0.1, 0.2], progress=True)
        assert "32/32" in capsys.readouterr().out  # 2 x (2 + 2) trainings, 1 + 3 epochs

    @pytest.mark.parametrize(
        ("scores", "groups"),
        [
            ([0.99, 0.53, 1.0, 0.98, 0.99], True),
            ([0.5, 0.5, 0.99, 1.0, 0.98], True),
            ([0.70, 0.75, 0.80, 0.85, 0.90], False),
            ([0.97, 0.98, 0.99, 0.90, 0.98], False),  # less than a tenth
            ([0.5, 1.0], False),  # two are no groups
            ([20.0, 21.0, 31.0, 30.5], True),  # another unit
            ([0.53] * 2 + [0.99] * 8, False),  # ten are enough
            ([0.8] * 5, False),
        ],
    )
    def test_two_groups_of_seeds_want_ten(self, scores, groups):
        rivals = {"CRNN": {"scores": scores}, "CNN": {"scores": [0.9] * len(scores)}}
        if not groups:
            assert seeds._warn_of_groups(rivals) == []
            return
        with pytest.warns(UserWarning, match="CRNN fall into two .* ten seeds or more"):
            told = seeds._warn_of_groups(rivals)
        assert len(told) == 1

    def test_bad_input(self, calls):
        for wrong in ([], [0], [1, 1]):
            with pytest.raises(ValueError, match="two different seeds"):
                ct.run_seeds(dict, lambda: DATASET, wrong, "a", 2, 1)
        with pytest.raises(ValueError, match=r"one of \['a'\], but got 'b'"):
            ct.run_seeds(lambda _: {"a": 1}, lambda: DATASET, [0, 1], "b", 2, 1)


class TestResults:
    def make(self, folder, name="digits"):
        return ct.save_results(name, {"seeds": [0]}, folder)

    def test_found_beside_the_package_in_a_checkout(self, monkeypatch, tmp_path):
        monkeypatch.setattr(measured, "_PACKAGE", tmp_path / "crnn_tutorial")
        (tmp_path / "pyproject.toml").touch()
        path = ct.save_results("digits", {"seeds": [0]})
        assert path == tmp_path / "results" / "digits.json"
        assert ct.load_results("digits") == {"seeds": [0]}

    def test_found_inside_the_package_in_a_wheel(self, monkeypatch, tmp_path):
        monkeypatch.setattr(measured, "_PACKAGE", tmp_path / "crnn_tutorial")
        self.make(tmp_path / "crnn_tutorial" / "results")
        self.make(tmp_path / "results", "of_somebody_else")  # site-packages/results
        assert ct.load_results("digits") == {"seeds": [0]}
        with pytest.raises(FileNotFoundError, match="There are: digits."):
            ct.load_results("of_somebody_else")
        with pytest.raises(ValueError, match="pass folder="):
            ct.save_results("digits", {})

    def test_the_error_lists_what_there_is(self, monkeypatch, tmp_path):
        monkeypatch.setattr(measured, "_results_folders", lambda: [tmp_path])
        with pytest.raises(FileNotFoundError, match="none yet"):
            ct.load_results("digits")
        self.make(tmp_path, "mnist")
        self.make(tmp_path, "digits")
        with pytest.raises(FileNotFoundError, match="There are: digits, mnist."):
            ct.load_results("digit")

    @pytest.mark.parametrize("name", ["", "../secret", "a/b", "Digits", "a.json"])
    def test_names_are_plain(self, name, tmp_path):
        with pytest.raises(ValueError, match="small letters"):
            ct.save_results(name, {}, tmp_path)

    def test_a_failed_save_leaves_the_older_file(self, tmp_path):
        path = self.make(tmp_path)
        with pytest.raises(ValueError, match="not JSON compliant"):
            ct.save_results("digits", {"score": float("nan")}, tmp_path)
        assert json.loads(path.read_text()) == {"seeds": [0]}

    def test_a_full_disk_leaves_the_older_file(self, tmp_path, monkeypatch):
        path = self.make(tmp_path)

        def write_half(self, text, **_):
            with self.open("w") as file:
                file.write(text[: len(text) // 2])
            raise OSError("No space left on device")

        monkeypatch.setattr(Path, "write_text", write_half)
        with pytest.raises(OSError, match="No space left"):
            ct.save_results("digits", {"seeds": [0, 1, 2]}, tmp_path)
        monkeypatch.undo()
        assert json.loads(path.read_text()) == {"seeds": [0]}


# Images that are a list


def test_a_list_of_images_is_scored_like_their_array(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 8, 10, 3)).astype("uint8")
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    model = ct.build_crnn_model((8, 10, 1), 2, filters=(2,), units=2)
    targets = np.array([0, 1] * 3)
    array = np.stack([ct.load_image(path, channels=1) for path in paths])
    expected = ct.evaluate(model, ct.Split(array, targets))
    for images in (
        paths,
        [str(path) for path in paths],
        [Image.open(path) for path in paths],
        list(pixels),
        list(array),
        np.array(paths, dtype=object),
    ):
        found = ct.evaluate(model, ct.Split(images, targets))
        assert found.per_image.tolist() == expected.per_image.tolist()
        assert found.multiplications == expected.multiplications
    half = ct.Split(paths, targets)[:3]
    assert repr(half) == "Split(3 images, one by one, targets int64)"
    assert ct.evaluate(model, half).images == 3
    large = ct.evaluate(
        ct.build_crnn_model((16, 20, 1), 2, filters=(2,), units=2),
        ct.Split(paths, targets),
    )
    assert large.images == 6  # resized, as load_image does


def test_a_list_of_lines_is_scored_like_their_stack():
    rng = np.random.default_rng(0)
    model = ct.build_text_recognizer((16, None, 1), "ab", filters=(2, 2), units=2)
    lines = [rng.random((16, width), np.float32) for width in (20, 300, 2, 40)]
    texts = ["a", "", "", "b"]
    found = ct.evaluate(model, ct.Split(lines, texts))
    stacked = stack_text_images(lines)
    expected = ct.evaluate(model, ct.Split(stacked, texts))
    assert found.per_image.tolist() == expected.per_image.tolist()
    assert found.multiplications == expected.multiplications
    answers = ct.read_text(model, lines)
    assert found.per_image.tolist() == [
        float(a == t) for a, t in zip(answers, texts, strict=True)
    ]


def test_a_list_for_a_classifier_of_scikit_learn():
    images = [np.zeros((4, 4)), np.ones((4, 4))]
    always = DummyClassifier(strategy="constant", constant=1)
    always.fit(np.zeros((2, 16)), [0, 1])
    assert ct.evaluate(always, ct.Split(images, np.array([0, 1]))).score == 0.5
