"""List the benchmarks with their hours, or run one.

python benchmarks            # the list
python benchmarks reading    # this one; interrupted, it goes on where it was
"""

import ast
import json
import re
import runpy
import sys
from pathlib import Path

from common import LONGER, RATES, ROOT, SEEDS

HERE = Path(__file__).resolve().parent
# Of one training of each rival: all seeds and learning rates, quick and longer.
TRAININGS = (len(SEEDS) + len(RATES)) * (1 + LONGER)


def scripts():
    """Return name -> docstring of each script that measures something."""
    texts = {
        path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8")))
        for path in sorted(HERE.glob("*.py"))
    }
    called = {name: f"python benchmarks/{name}.py" for name in texts}
    return {name: text for name, text in texts.items() if called[name] in text}


def hours(results):
    """Return what the trainings of stored results took, or will take when run again.

    Results of older versions know the seconds of one training: all that the present
    rules ask for are counted. None where nothing was timed.
    """
    if not isinstance(results, dict):
        return None
    if "hours" in results:
        return results["hours"]
    if "rivals" in results:
        timed = [one.get("seconds") for one in results["rivals"].values()]
        return TRAININGS * sum(filter(None, timed)) / 3600 if any(timed) else None
    if "runs" in results:
        timed = [one.get("seconds") for one in results["runs"]]
        return sum(filter(None, timed)) / 3600 if any(timed) else None
    found = [hours(one) for one in results.values()]
    return sum(filter(None, found)) if any(found) else None


def load(text):
    """Return name -> results of each file that a script's docstring names."""
    paths = [
        ROOT / f"results/{name}.json"
        for name in re.findall(r"results/(\w+)\.json", text)
    ]
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in paths
        if path.exists()
    }


def table():
    """Return a line for each script: its name, its hours and what it is about."""
    rows = ["name            hours  about"]
    for name, text in scripts().items():
        found = hours(load(text))
        told = "    –" if found is None else f"{found:5.1f}"
        rows.append(f"{name:15}{told}   {text.splitlines()[0]}")
    rows.append(
        "Hours of training, on one core; interrupted, they go on where they were."
    )
    return "\n".join(rows)


def main(name=None, *arguments):
    known = scripts()
    if name is None:
        print(table())
    elif name not in known:
        sys.exit(f"There is no benchmark {name!r}. There are: {', '.join(known)}.")
    else:
        script = str(HERE / f"{name}.py")
        sys.argv = [script, *arguments]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
