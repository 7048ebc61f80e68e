"""Write the ledger of all claims, and count those with a verdict on some page.

    python scripts/claims.py            # how many claims have a verdict
    python scripts/claims.py --write    # book/appendix/claims.md from claims.toml

What decides each claim stands in ``claims.toml``; the numbers come from ``results/``.
"""

import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import nbformat
from check_book import ROOT, notebooks, prose
from scipy import optimize, stats

CLAIMS = 79
LEDGER = ROOT / "book/appendix/claims.md"
RATE = 0.05  # of false discoveries among the comparisons that are better or worse
FAMILIES = {
    "What a CRNN is": (1, 18),
    "Better than others": (19, 24),
    "The equations": (25, 37),
    "The code": (38, 40),
    "The outlook": (41, 49),
    "Its tasks": (50, 65),
    "Restoring images": (66, 70),
    "Generating and something else": (71, 79),
}
CLAIM = re.compile(r"\bC\d\d\b")
VERDICT = re.compile(r"\b(?:supported|false)\b", re.IGNORECASE)


def judged_claims(paths: list[Path] | None = None) -> set[str]:
    """Return the numbers of all claims that a verdict names, with its word."""
    found: set[str] = set()
    for path in notebooks() if paths is None else paths:
        found |= in_page(prose(nbformat.read(path, as_version=4).cells))
    return found


def in_page(text: str) -> set[str]:
    """Return the claims judged in a page: verdict boxes, and rows of verdict tables."""
    found: set[str] = set()
    box = r"^(`{3,}|:{3,})\{admonition\} Verdict([^\n]*)\n(.*?)^\1[ \t]*$"
    for _, title, body in re.findall(box, text, re.MULTILINE | re.DOTALL):
        leads = {
            claim
            for part in body.split("\n\n")
            if VERDICT.search(part)
            for claim in CLAIM.findall(lead(part))
        }
        # A title counts for the claims that its box does not name one by one.
        found |= leads | (set(CLAIM.findall(title)) - set(CLAIM.findall(body)))
    for row in re.findall(r"^\| *\**(C\d\d)\b(.*)$", text, re.MULTILINE):
        found |= {row[0]} if VERDICT.search(row[1]) else set()
    return found


def lead(paragraph: str) -> str:
    """Return what a paragraph says before its first verdict."""
    return VERDICT.split(paragraph, maxsplit=1)[0]


# ------------------------------------------------------------ the ledger


def load_claims() -> dict[str, dict]:
    """Return what claims.toml says of each claim."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def stored(primary: list[str]) -> dict:
    """Return the judgement that decides a claim: of the longer run, if there is one."""
    name, comparison, rival = primary
    found = json.loads((ROOT / f"results/{name}.json").read_text("utf-8"))
    found = found[comparison] if comparison else found
    return found.get("longer", found)["judgements"][rival]


def p_value(judgement: dict) -> float:
    """Return the p-value of a stored judgement; of an older one, from its interval.

    Half the interval is t(0.975) SE, and the detectable difference is SE times
    t(0.975) + t(0.80): their quotient gives the degrees of freedom, and these the SE.
    Where the rule of three has widened both, the fewest possible degrees are taken, and
    so the p-value is rather too large than too small.
    """
    if judgement.get("p_value") is not None:
        return judgement["p_value"]
    mean, images = abs(judgement["difference"]), judgement["images"]
    signed = judgement["difference"]
    half = max(signed - judgement["low"], judgement["high"] - signed)
    quotient = judgement["detectable"] / half

    def excess(freedom):
        t, power = stats.t.ppf([0.975, 0.80], freedom)
        return (t + power) / t - quotient

    freedom = min(n for n in (judgement["seeds"], images) if n > 1) - 1
    if excess(freedom) < 0 < excess(1e6):
        freedom = optimize.brentq(excess, freedom, 1e6)
    t = mean / half * stats.t.ppf(0.975, freedom)
    return max(2 * stats.t.sf(t, freedom), (1 - min(mean, 1)) ** images)


def decide(claims: dict[str, dict]) -> dict[str, dict]:
    """Judge all claims that a comparison decides, together.

    Returns
    -------
    dict
        Claim -> "judgement"; "p", and "adjusted" for all of these comparisons;
        "survives", where it is better or worse; "verdict".
    """
    import crnn_tutorial as ct

    raw = {k: stored(one["primary"]) for k, one in claims.items() if "primary" in one}
    chances = {claim: float(p_value(one)) for claim, one in raw.items()}
    adjusted = stats.false_discovery_control([*chances.values()])
    found = {}
    for (claim, one), level in zip(raw.items(), adjusted, strict=True):
        judgement = ct.Judgement.of(one)
        decided = judgement.word in ("better", "worse")
        survives = bool(level <= RATE)
        if_better = claims[claim].get("better", "supported")
        words = {"better": if_better}
        if if_better == "supported":
            words["worse"] = "false"
        verdict = words.get(judgement.word, "not supported")
        found[claim] = {
            "judgement": judgement,
            "p": chances[claim],
            "adjusted": float(level),
            "survives": survives if decided else None,
            "verdict": verdict if survives or not decided else "not supported",
        }
    return found


def title(page: str) -> str:
    """Return the heading of a chapter."""
    first = nbformat.read(ROOT / f"book/{page}.ipynb", as_version=4).cells[0].source
    return re.search(r"^# (.+)$", first, re.MULTILINE)[1]


def row(claim: str, one: dict, decided: dict | None) -> str:
    """Return the line of one claim."""
    if "page" not in one:
        return f"| **{claim}** {one['says']} | not judged yet |"
    link = f"[{title(one['page'])}](../{one['page']}.ipynb)"
    told = [one["fact"]] if "fact" in one else []
    verdict = f"**{one.get('verdict')}**"
    if decided:
        verdict = f"**{decided['verdict']}**"
        if "written" in one:
            reading = "strictly" if one["written"] == "supported" else "kindly"
            verdict = f"**{one['written']}** as written; read {reading} {verdict}"
        told.append(f"{one['asked']}: {by_how_much(decided['judgement'])}")
        told[-1] += (
            f"; {level('p', decided['p'])}, {level('adjusted', decided['adjusted'])}."
        )
        if decided["survives"] is False:
            told.append("**It does not survive**: chance may have decided it.")
    return f"| **{claim}** {one['says']} | {verdict}. {' '.join(told)} {link} |"


def by_how_much(judgement) -> str:
    """Say who is better in positive numbers; where nobody is, with the sign."""
    if judgement.word in ("better", "worse"):
        ends = sorted((abs(judgement.low), abs(judgement.high)))
        size = abs(judgement.difference)
        turned = replace(judgement, difference=size, low=ends[0], high=ends[1])
        return f"*{judgement.word}* by {turned.points.lstrip('+')}"
    return f"*{judgement.word}*, {judgement.points}"


def level(name: str, value: float) -> str:
    """Write a p-value with two digits that tell something."""
    return f"{name} below 0.001" if value < 0.001 else f"{name} {value:.2g}"


def ledger() -> str:
    """Return the page: what all claims came to."""
    claims = load_claims()
    decided = decide(claims)
    clear = [one for one in decided.values() if one["survives"] is not None]
    lost = [claim for claim, one in decided.items() if one["survives"] is False]
    judged = sum("page" in one for one in claims.values())
    parts = [
        INTRODUCTION.format(
            judged=judged,
            claims=len(claims),
            measured=len(decided),
            clear=len(clear),
            lost=f"These do not survive: {', '.join(lost)}."
            if lost
            else "All of them survive.",
        )
    ]
    for family, (first, last) in FAMILIES.items():
        names = [f"C{number:02}" for number in range(first, last + 1)]
        lines = [row(name, claims[name], decided.get(name)) for name in names]
        parts.append("\n".join([f"## {family}\n", HEAD, *lines]))
    return "\n\n".join(parts) + "\n"


HEAD = "| what the article says | verdict, and what decided |\n|---|---|"

INTRODUCTION = """# The ledger: all claims and their verdicts

The article makes {claims} claims that can be right or wrong. This page lists each of
them, in our short wording, with its verdict and with what decided it. So far {judged}
have a verdict. The words and the rules are those of [How we judge](how_we_judge.ipynb).

Some claims are decided by logic, by a definition, by history or by running the
article's code. The other {measured} are decided by one comparison each. A page shows
more comparisons than this one, and none of the others can change the verdict here. For
C01 to C49 the present results were measured before this list was made: we chose each
comparison by the wording of the claim, but with the numbers known. The list is the one
that holds when they are measured again. From C50 on, each comparison was named before
it was run.

## Many verdicts, and chance

Suppose that twenty rivals are equally good. At the usual level of 5 % we expect that
chance alone makes one of the twenty comparisons look better or worse. So we control the
*false discovery rate* over this page: of the comparisons that we call better or worse,
on average at most 5 % are called so by chance alone. The method is that of Benjamini
and Hochberg (`scipy.stats.false_discovery_control`). It holds for comparisons that are
independent, or that rise and fall together.

For each comparison, *p* is how often chance alone would show such a difference or a
larger one. It comes from the same standard error as the interval. *Adjusted* is the
same number after it was corrected for the number of comparisons; up to 0.05 the
comparison survives.

Of the {measured} comparisons, {clear} are better or worse. {lost}

In results that were measured before the p-value was stored, it is computed from the
interval. These results also have seeds that share one set of training images. The
comparisons from C50 on have training images drawn anew for each seed. Where a run
three times as long is stored, as our rules ask, it decides. Some pages have the short
one only, and say so."""


if __name__ == "__main__":
    if "--write" in sys.argv:
        LEDGER.write_text(ledger(), "utf-8")
    print(len(judged_claims()), "of", CLAIMS, *sorted(judged_claims()))
