"""Five seeds for the page on detection: boxes around digits, in scenes.

    python benchmarks/detection.py

Writes ``results/detection.json``: "scenes", what ``ct.run_seeds`` returns, with the
tests "all", "small" and "large", whose digits have other sizes. Beside the networks
stands the page's rival without one, which is trained on the same scenes.
"""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from common import FEW, QUICK, SEEDS, compare, definitions, finish

import crnn_tutorial as ct
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.metrics.boxes import average_precision, box_f_score
from crnn_tutorial.tasks.detection import as_pairs

PAGE = "faq/detection"
CLASSIC = "threshold + SVM"
EPOCHS = 2  # half of the page's: there are many trainings
SIZES = {"small": (12, 15), "large": (16, 28)}  # sides of the digits in pixels


def load_scenes(scenes):
    """Return what draws the scenes of a seed, and the tests of each size."""
    count = len(scenes.test) // 2
    tests = {"all": scenes.test}
    for name, sides in SIZES.items():
        size = scenes.input_shape[:2]
        loaded = ct.load_digit_scenes((2, 2, count), size, digit_sizes=sides)
        tests[name] = loaded.test
    return partial(draw, scenes, validation=len(scenes.test)), tests


def draw(data, seed, validation):
    """Draw the images of a seed; a few to validate are enough."""
    drawn = draw_training(data, seed)
    return replace(drawn, validation=drawn.validation[:validation])


class Classic:
    """The rival without a network: a threshold proposes, and an SVM names.

    Parameters
    ----------
    page : dict
        Its functions, as the page defines them.
    look : callable
        Split -> the same with brightness alone, and boxes as targets.
    """

    def __init__(self, page, look):
        self.page, self.look, self.trained = page, look, []

    def train(self, make_data):
        """Train once for each seed, on the images that the networks had."""
        for seed in SEEDS:
            train = self.look(make_data(seed).train)
            start = time.perf_counter()
            svm = self.page["train_svm"](train[:FEW] if QUICK else train)
            self.trained.append((svm, time.perf_counter() - start))

    def score(self, svm, test, names):
        """Return the F-score of each image, and the average precision of all."""
        truth = as_pairs(test.targets)
        sure = self.page["find_regions"](svm, test.images)
        every = self.page["find_regions"](svm, test.images, least=-np.inf)
        half, tight = (average_precision(truth, every, t) for t in (0.5, 0.75))
        also = {"AP50": np.mean([*half.values()]), "AP75": np.mean([*tight.values()])}
        also |= {f"AP50 of {names[kind]}": one for kind, one in half.items()}
        return box_f_score(truth, sure), {k: float(one) for k, one in also.items()}

    def join(self, found, test, names):
        """Stand beside the networks, and let ours be judged against it.

        Parameters
        ----------
        found : dict
            The results of one test.
        test : Split
            Its images.
        names : tuple of str
            Of the classes.
        """
        test = self.look(test[:FEW] if QUICK else test)
        told = [self.score(svm, test, names) for svm, _ in self.trained]
        scores = np.stack([one for one, _ in told])
        ours = ct.stored_scores(found, "CRNN")
        found["rivals"][CLASSIC] = {
            "scores": scores.mean(axis=1).tolist(),
            "mean": float(scores.mean()),
            "seconds": round(float(np.mean([took for _, took in self.trained])), 2),
            "packed": scores.tolist(),
            "also": {name: [also[name] for _, also in told] for name in told[0][1]},
        }
        judged = ct.judge(ours, scores, f"CRNN is better than {CLASSIC}")
        found["judgements"][CLASSIC] = judged.as_dict()


def forget_single_images(tests):
    """Keep the scores of single images of the main test only: the file is long."""
    for test in tests.values():
        test["rivals"] = {
            name: {key: one[key] for key in one if key not in ("packed", "curves")}
            for name, one in test["rivals"].items()
        }


def only_boxes(split):
    return ct.Split(split.images, split.targets["boxes"])


def main():
    page = definitions(PAGE)
    draw_scenes, tests = load_scenes(page["scenes"])
    recipe = page["recipe"] | {"epochs": EPOCHS, "evaluate_on": tests}
    found = compare("scenes", page["rivals"], draw_scenes, "CRNN", **recipe)
    classic = Classic(page, only_boxes)
    classic.train(draw_scenes)
    for length in filter(None, (found, found.get("longer"))):
        for name, test in tests.items():
            classic.join(length["tests"][name], test, page["scenes"].class_names)
        forget_single_images(length["tests"])
    finish("detection", {"scenes": found})


if __name__ == "__main__":
    main()
