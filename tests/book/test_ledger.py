"""The ledger of all claims: its numbers, its words, and that it is up to date."""

import numpy as np
import pytest

pytest.importorskip("nbformat")

import claims  # noqa: E402

import crnn_tutorial as ct  # noqa: E402


def judgement(difference, p_value=None, half=0.05):
    """Make a stored judgement of five seeds and 500 images."""
    return {
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "detectable": 0.07,
        "verdict": "",
        "seeds": 5,
        "images": 500,
        "p_value": p_value,
    }


def test_the_page_is_what_the_script_makes():
    assert claims.LEDGER.read_text("utf-8") == claims.ledger(), (
        "run scripts/claims.py --write"
    )


def test_every_claim_stands_in_it_and_those_with_a_verdict_are_those_of_the_pages():
    listed = claims.load_claims()
    assert list(listed) == [f"C{number:02}" for number in range(1, claims.CLAIMS + 1)]
    places = [range(first, last + 1) for first, last in claims.FAMILIES.values()]
    assert [number for place in places for number in place] == list(range(1, 80))
    judged = {claim for claim, one in listed.items() if "page" in one}
    assert judged == claims.judged_claims()
    for claim, one in listed.items():
        if "page" in one:
            assert ("primary" in one) != ("verdict" in one), claim
            assert ("primary" in one) == ("asked" in one), claim


@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_older_judgements_get_the_p_value_that_newer_ones_store(seeds):
    rng = np.random.default_rng(seeds)
    for shift in (0.0, 0.01, 0.03, 0.06):
        luck = rng.normal(0, 0.03, (seeds, 1))
        ours = 0.5 + luck + rng.uniform(-0.2, 0.2, (seeds, 400)) + shift
        found = ct.judge(ours, 0.5 + rng.uniform(-0.2, 0.2, (seeds, 400)))
        older = vars(found) | {"p_value": None}
        assert claims.p_value(older) == pytest.approx(found.p_value, rel=1e-5)
        assert claims.p_value(vars(found)) == found.p_value


def test_under_the_rule_of_three_an_older_one_is_not_too_sure():
    same = np.ones((5, 300))
    other = same.copy()
    other[:, :5] = 0
    found = ct.judge(same, other)
    older = claims.p_value(vars(found) | {"p_value": None})
    assert found.p_value <= older <= 1
    assert claims.p_value(vars(ct.judge(same, same)) | {"p_value": None}) == 1


class TestDecide:
    def decide(self, monkeypatch, p_values, **options):
        """Decide claims A, B, ... of which each is better by 6 points."""
        names = dict(zip("ABCDEFGH", p_values, strict=False))
        listed = {name: {"primary": [name]} | options for name in names}
        monkeypatch.setattr(
            claims, "stored", lambda key: judgement(0.06, names[key[0]])
        )
        return claims.decide(listed)

    def test_benjamini_and_hochberg_by_hand(self, monkeypatch):
        """Of 4: p x 4 / rank, and none larger than those of higher rank."""
        found = self.decide(monkeypatch, [0.01, 0.04, 0.03, 0.005])
        adjusted = [one["adjusted"] for one in found.values()]
        assert adjusted == pytest.approx([0.02, 0.04, 0.04, 0.02])
        assert all(one["survives"] for one in found.values())

    def test_a_verdict_that_does_not_survive_says_so(self, monkeypatch):
        found = self.decide(monkeypatch, [0.001, 0.045, 0.045, 0.6])
        assert [one["survives"] for one in found.values()] == [
            True,
            False,
            False,
            False,
        ]
        verdicts = [one["verdict"] for one in found.values()]
        assert verdicts == ["supported"] + 3 * ["not supported"]
        claim = {"says": "a", "page": "concepts/crnn_vs_cnn", "asked": "x against y"}
        told = claims.row("B", claim, found["B"])
        assert "**It does not survive**" in told and "**not supported**" in told
        assert "does not survive" not in claims.row("A", claim, found["A"])

    def test_a_claim_that_says_that_something_cannot_be(self, monkeypatch):
        found = self.decide(monkeypatch, [0.001], better="false")
        assert found["A"]["verdict"] == "false"

    def test_what_is_undecided_has_nothing_to_survive(self, monkeypatch):
        monkeypatch.setattr(claims, "stored", lambda _: judgement(0.02, 0.4))
        [found] = claims.decide({"A": {"primary": ["A"]}}).values()
        assert found["survives"] is None
        assert found["verdict"] == "not supported"

    def test_the_longer_run_decides(self, monkeypatch, tmp_path):
        monkeypatch.setattr(claims, "ROOT", tmp_path)
        ct.save_results(
            "toy",
            {
                "judgements": {"CNN": judgement(0.1, 0.01)},
                "longer": {"judgements": {"CNN": judgement(0, 0.9)}},
            },
            tmp_path / "results",
        )
        assert claims.stored(["toy", "", "CNN"])["p_value"] == 0.9
