"""Check the structure of the book: pages, bones, cells, stored outputs.

    python scripts/check_book.py [book/path/page.ipynb ...]

Each check is a function that yields what is wrong, in words; no words, no fault.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE_TYPES = ("claim", "build", "equation", "reference")
CODE_WIDTH = 72
PRINTED_WIDTH = 66  # what fits beside the sidebar, and in print
LARGEST = 500_000  # bytes of a stored notebook

# What an assert may not look at: a busy machine would fail it for nothing.
CLOCKS = re.compile(
    r"seconds|minutes|faster|slower|elapsed|duration|took|timeit|perf_counter"
    r"|process_time|monotonic|speed_?up"
)

# In printed outputs. An article's address such as /abs/2012.04954 is no path.
NOISE = {
    "an absolute path": r"(?<![\w.:/])/(?:home|root|work|tmp|usr|opt|var|Users|mnt)/\w",
    "a Windows path": r"\b[A-Z]:\\\w",
    "an object's address": r"\b0x[0-9a-f]{6,}\b",
    "a TensorFlow log line": (
        r"oneDNN|cuda_\w+\.cc|TF-TRT|AVX2|^[IWE]0000 |tensorflow/\w+/"
    ),
    "a warning": r"\b\w*Warning: ",
    "a progress bar": "\u2501{2}|\r|\x08",
    "terminal colours": "\x1b\\[",
}


# ---------------------------------------------------------------- reading


def toc_pages(root: Path = ROOT) -> list[str]:
    """List the pages that _toc.yml names, without endings."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))

    def files(entry):
        if "file" in entry:
            yield entry["file"]
        for key in ("parts", "chapters", "sections"):
            for child in entry.get(key, ()):
                yield from files(child)

    return [toc["root"], *files(toc)]


def notebooks(root: Path = ROOT) -> list[Path]:
    """List every notebook under book/."""
    found = (root / "book").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def page_type(notebook) -> str | None:
    """Return the type of page that the notebook's metadata name."""
    return notebook.metadata.get("crnn_tutorial", {}).get("page")


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(cells) -> str:
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def directives(text: str, name: str) -> list[tuple[str, str]]:
    """List (title, body) of each MyST directive, ``` or ::: fenced."""
    fence, rest = r"^(`{3,}|:{3,})", r"[ \t]*([^\n]*)\n(.*?)^\1[ \t]*$"
    pattern = fence + re.escape(f"{{{name}}}") + rest
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [(title.strip(), body) for _, title, body in found]


def boxes(text: str, title: str) -> list[str]:
    """List the bodies of the boxes (any directive) whose title begins so."""
    bodies = []
    for name in ("admonition", "dropdown", "card", "note", "tip", "important"):
        bodies += [
            body
            for heading, body in directives(text, name)
            if heading.lower().startswith(title.lower())
        ]
    return bodies


def headings(text: str) -> list[tuple[int, str]]:
    """List (level, words) of the headings outside fenced code and boxes."""
    outside = re.sub(
        r"^(`{3,}|:{3,})[^\n]*\n.*?^\1[ \t]*$", "", text, flags=re.MULTILINE | re.DOTALL
    )
    found = re.findall(r"^(#{1,6}) +(.+)$", outside, re.MULTILINE)
    return [(len(marks), words) for marks, words in found]


def folded(body: str) -> bool:
    return bool(re.search(r"^:class:.*\b(dropdown|toggle)\b", body, re.MULTILINE))


def has_class(body: str, name: str) -> bool:
    """Whether a box names this class."""
    return bool(re.search(rf"^:class:.*\b{name}\b", body, re.MULTILINE))


# ---------------------------------------------------------------- the toc


def check_toc(root: Path = ROOT) -> Iterator[str]:
    """Every page of the toc exists; every notebook is in the toc."""
    pages = toc_pages(root)
    for page in pages:
        if not any((root / f"{page}{end}").exists() for end in (".ipynb", ".md")):
            yield f"_toc.yml names {page}, which does not exist"
    for page in {page for page in pages if pages.count(page) > 1}:
        yield f"_toc.yml names {page} twice"
    for path in notebooks(root):
        page = path.relative_to(root).with_suffix("").as_posix()
        if page not in pages:
            yield f"{page}.ipynb is not in _toc.yml"


# ---------------------------------------------------------------- bones


def check_bones(notebook) -> Iterator[str]:
    """The parts that the page's type demands (design, section 6)."""
    kind = page_type(notebook)
    if kind not in PAGE_TYPES:
        yield f"metadata crnn_tutorial.page is {kind!r}; expected one of {PAGE_TYPES}"
        return
    yield from check_headings(notebook)
    yield from check_fences(notebook)
    yield from check_marks(notebook)
    yield from check_boxes(prose(notebook.cells))
    if kind == "reference":
        return
    yield from check_opening(notebook, kind)
    yield from check_exercises(notebook)
    text = prose(notebook.cells)
    if kind == "claim":
        yield from check_claim(notebook, text)
    elif kind == "build":
        if not re.search(r"your turn", text, re.IGNORECASE):
            yield 'no part "your turn"'
    else:
        if not re.search(r"in words", text, re.IGNORECASE):
            yield 'no part "in words"'
        yield from check_verdict(text)


def check_fences(notebook) -> Iterator[str]:
    """A backtick in the title of a ``` block undoes the block, and silently."""
    for title in re.findall(r"^`{3,}(\{[\w-]+\}.*`.*)$", prose(notebook.cells), re.M):
        yield f"a title with a backtick opens no block: {title}"


def check_marks(notebook) -> Iterator[str]:
    """A line that begins with a comment is HTML: its links and stars stay as typed."""
    for line in re.findall(r"^[ >]*(<!--=.*)$", prose(notebook.cells), re.M):
        yield f"a line begins with a mark, put a word before it: {line[:50]}"


def check_boxes(text: str) -> Iterator[str]:
    """Each kind of box has its class, by which the site colours it."""
    for kind in ("Cost", "Answer", "Guess", "Hint", "Verdict"):
        for body in boxes(text, kind):
            if not has_class(body, kind.lower()):
                yield f"the {kind.lower()} box lacks ':class: {kind.lower()}'"
    for body in boxes(text, "Guess first"):
        yield from check_guess(body)


def check_guess(body: str) -> Iterator[str]:
    """A guess asks openly and folds its answer."""
    if folded(body):
        yield 'the box "Guess first" hides its question (no :class: dropdown)'
    inner = [one for one in directives(body, "admonition") if folded(one[1])]
    if not inner + directives(body, "dropdown"):
        yield 'the answer in the box "Guess first" is not folded ({dropdown})'
    question = re.split(r"^(?:`{3,}|:{3,})\{", body, maxsplit=1, flags=re.MULTILINE)
    if "?" not in question[0]:
        yield 'the box "Guess first" asks nothing before its answer (?)'


def check_headings(notebook) -> Iterator[str]:
    """One title, in the first cell; no level is skipped."""
    first = headings(notebook.cells[0].source) if notebook.cells else []
    if not first or first[0][0] != 1:
        yield "the first cell does not begin with a title (# ...)"
    levels = [level for level, _ in headings(prose(notebook.cells))]
    if levels.count(1) > 1:
        yield f"{levels.count(1)} titles (# ...); expected one"
    for before, after in zip(levels, levels[1:], strict=False):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def check_opening(notebook, kind: str) -> Iterator[str]:
    """Question, cost box and answer box stand in the first cell, in this order."""
    opening = notebook.cells[0].source
    cost, answer = boxes(opening, "Cost"), boxes(opening, "Answer")
    before = re.split(r"^(?:`{3,}|:{3,})\{", opening, maxsplit=1, flags=re.MULTILINE)
    if "?" not in before[0] and not boxes(opening, "Question"):
        yield "no question between the title and the first box"
    if len(cost) != 1:
        yield f"{len(cost)} cost boxes in the first cell; expected one"
    else:
        for word in ("second|minute", "parameter", "download"):
            if not re.search(word, cost[0], re.IGNORECASE):
                yield f"the cost box does not say: {word.replace('|', ' or ')}"
    if len(answer) != 1:
        yield f"{len(answer)} answer boxes in the first cell; expected one"


def check_gpu_time(notebook, page: str, root: Path = ROOT) -> Iterator[str]:
    """A GPU's time is told only where a run on one is on record (`make full`)."""
    cost = boxes(notebook.cells[0].source, "Cost")
    clauses = re.split(r"[.;,:]\s", " ".join(cost))
    told = [c for c in clauses if "GPU" in c and re.search(r"second|minute|\d s\b", c)]
    results = [
        run["pages"].get(page, {"failed": "never ran"})
        for run in full_runs(root)
        if run["device"] != "CPU"
    ]
    if told and all("failed" in result for result in results):
        yield f"the cost box tells a GPU's time that nobody measured: {told[0]!r}"


def full_runs(root: Path) -> list[dict]:
    """Read what `make full` measured."""
    path = root / "results/full.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def check_claim(notebook, text: str) -> Iterator[str]:
    """A claim page: article, guess, result table, control, failure, verdict."""
    if not re.search(r"^> ", text, re.MULTILINE) and not directives(text, "epigraph"):
        yield "the article's words are not quoted (> ...)"
    sources = [cell.source for cell in notebook.cells]
    guesses = [i for i, source in enumerate(sources) if boxes(source, "Guess first")]
    tables = [
        i
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and re.search(r"\bcompare\(", cell.source)
    ]
    if not guesses:
        yield 'no box "Guess first"'
    if not tables:
        yield "no result table (ct.compare)"
    elif guesses and guesses[0] > tables[0]:
        yield 'the box "Guess first" comes after the result table'
    if not re.search(r"embarrass", text, re.IGNORECASE):
        yield "no control that could embarrass us (name it with that word)"
    if not re.search(r"\bfail|\bgoes wrong|\bwent wrong", text, re.IGNORECASE):
        yield "no honest failure"
    yield from check_verdict(text)
    if not re.search(r"change our mind", text, re.IGNORECASE):
        yield 'the verdict lacks "what would change our mind"'


def check_verdict(text: str) -> Iterator[str]:
    verdict = boxes(text, "Verdict")
    named = [words for _, words in headings(text) if "verdict" in words.lower()]
    if not verdict and not named:
        yield "no verdict (a heading or a box)"


def check_exercises(notebook) -> Iterator[str]:
    """Two to four exercises, each with a hint and a solution, folded away."""
    text = prose(notebook.cells)
    exercises = directives(text, "exercise") + directives(text, "exercise-start")
    if not 2 <= len(exercises) <= 4:
        yield f"{len(exercises)} exercises; expected two to four"
    hints = boxes(text, "Hint")
    if len(hints) < len(exercises):
        yield f"{len(exercises)} exercises, but {len(hints)} hints"
    solutions = dict(directives(text, "solution"))
    solutions |= dict(directives(text, "solution-start"))
    for title, body in exercises:
        label = re.search(r"^:label:\s*(\S+)", body, re.MULTILINE)
        if not label:
            yield f"exercise {title!r} has no label"
        elif label[1] not in solutions:
            yield f"exercise {label[1]!r} has no solution"
        elif not folded(solutions[label[1]]):
            yield f"the solution of {label[1]!r} is not folded (:class: dropdown)"
    if not all(folded(body) for body in hints if body not in dropdowns(text)):
        yield "a hint is not folded (:class: dropdown)"


def dropdowns(text: str) -> list[str]:
    return [body for _, body in directives(text, "dropdown")]


# ---------------------------------------------------------------- cells


def check_code(notebook, repository: str) -> Iterator[str]:
    """The install cell, the one switch, the width of the lines."""
    cells = code_cells(notebook)
    text = "\n".join(cell.source for cell in cells)
    switches = re.findall(r"^RUN\b.*=", text, re.MULTILINE)
    if re.search(r"^\s*(import|from) crnn_tutorial", text, re.MULTILINE):
        yield from check_install(cells[0], repository)
    if page_type(notebook) == "reference":
        if len(switches) > 1:
            yield f"{len(switches)} switches RUN = ...; expected at most one"
    elif len(switches) != 1:
        yield f"{len(switches)} switches RUN = ...; expected one"
    if switches and not re.search(r'^RUN = "quick"', text, re.MULTILINE):
        yield 'the switch is not stored as RUN = "quick"'
    for cell in cells:
        if not cell.source.strip():
            yield "an empty code cell"
        for line in cell.source.splitlines():
            if len(line) > CODE_WIDTH and cell is not cells[0]:
                yield f"a code line has {len(line)} characters: {line.strip()[:40]}..."
        yield from check_asserts(cell.source)


def check_asserts(source: str) -> Iterator[str]:
    """No assert looks at a clock, directly or by the name of what was timed."""
    plain = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    try:
        tree = ast.parse(plain)
    except SyntaxError as error:
        yield f"a code cell is no Python: {error.msg}: {str(error.text).strip()[:40]}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
            parts = [n for n in ast.walk(node.test) if isinstance(n, ast.Attribute)]
            clocks = filter(CLOCKS.search, names | {part.attr for part in parts})
            for name in sorted(clocks):
                yield f"an assert about time, count the work instead: {name}"


def check_install(cell, repository: str) -> Iterator[str]:
    """The first code cell installs the package on Colab, and nowhere else."""
    for tag in ("remove-cell", "nbval-skip"):
        if tag not in tags(cell):
            yield f"the install cell lacks the tag {tag}"
    if "google.colab" not in cell.source:
        yield "the first code cell does not ask for google.colab"
    if "--no-deps" not in cell.source or f"git+{repository}" not in cell.source:
        yield f'the install cell does not run pip install --no-deps "git+{repository}"'


# ---------------------------------------------------------------- outputs


def check_outputs(notebook) -> Iterator[str]:
    """Stored by one run from a clean kernel, and free of noise."""
    cells = code_cells(notebook)
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        yield "not stored by one run from a clean kernel (make notebooks)"
    if "execution" in notebook.metadata or any(
        "execution" in cell.metadata for cell in notebook.cells
    ):
        yield "timing metadata"
    for cell in cells:
        for output in cell.outputs:
            yield from check_output(output)
        yield from check_shown(cell)
        yield from check_alt_text(cell)


def check_output(output) -> Iterator[str]:
    if output.output_type == "error":
        yield f"an error is stored: {output.ename}: {output.evalue[:60]}"
        return
    if output.get("name") == "stderr":
        yield f"stderr is stored: {output.text[:60]!r}"
    text = printed(output)
    for what, pattern in NOISE.items():
        found = re.search(pattern, text, re.MULTILINE)
        if found:
            line = text[max(0, found.start() - 20) : found.end() + 30]
            yield f"an output holds {what}: {line!r}"
    for image in re.findall(r"<img\b[^>]*>", text):
        if not re.search(r'\balt="[^"]+"', image):
            yield "an <img> in an output has no alt text"
    if re.search(r"""<(?:link|script|img|iframe)\b[^>]*=["']?https?:""", text):
        yield "an output loads something from outside"


def printed(output) -> str:
    """Return what an output shows as text, pictures left out."""
    data = output.get("data", {})
    shown = [text for kind, text in data.items() if not kind.startswith("image/")]
    return "\n".join([output.get("text", ""), *map(str, shown)])


def check_shown(cell) -> Iterator[str]:
    """What readers see: lines that fit, and a figure where there is a caption."""
    if "remove-cell" in tags(cell):
        return
    last = (cell.source.strip().splitlines() or [""])[-1][:50]
    if "hide-input" in tags(cell) and not cell.outputs:
        yield f"a bar that opens on nothing, use remove-cell: {last}"
    if "figure" in cell.metadata.get("mystnb", {}) and not shows_image(cell):
        yield f"a caption without a figure: {last}"
    for line in "\n".join(map(plain_text, cell.outputs)).splitlines():
        if len(line.rstrip()) > PRINTED_WIDTH:
            yield f"a printed line has {len(line.rstrip())} characters: {line[:40]}..."


def plain_text(output) -> str:
    """Return what an output shows in letters of one width."""
    data = output.get("data", {})
    richer = any(kind.startswith(("image/", "text/html", "text/mark")) for kind in data)
    return output.get("text", "") if richer else printed(output)


def shows_image(cell) -> bool:
    return any(
        kind.startswith("image/")
        for output in cell.outputs
        for kind in output.get("data", {})
    )


def check_alt_text(cell) -> Iterator[str]:
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if shows_image(cell) and len(alt.split()) < 3:
        yield f"a figure without alt text: {cell.source.strip().splitlines()[-1][:50]}"


def check_size(path: Path) -> Iterator[str]:
    size = path.stat().st_size
    if size > LARGEST:
        yield f"{size:,} bytes; a stored notebook has at most {LARGEST:,}"


# ---------------------------------------------------------------- all together


def check_notebook(path: Path, repository: str) -> list[str]:
    """Run every check on one notebook."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (json.JSONDecodeError, nbformat.ValidationError, ValueError) as error:
        return [f"no valid notebook: {str(error).splitlines()[0]}"]
    if not notebook.cells:
        return ["no cells"]
    return [
        *check_size(path),
        *check_bones(notebook),
        *check_gpu_time(notebook, page_name(path)),
        *check_code(notebook, repository),
        *check_outputs(notebook),
    ]


def page_name(path: Path) -> str:
    """Return such as "concepts/crnn_vs_cnn"; a file outside the book keeps its name."""
    path, book = path.resolve().with_suffix(""), ROOT / "book"
    return (path.relative_to(book) if path.is_relative_to(book) else path).as_posix()


def main(names: list[str]) -> int:
    from set_repository import repository_url

    faults = [] if names else list(check_toc())
    for path in [Path(name) for name in names] or notebooks():
        faults += [
            f"{path}: {fault}" for fault in check_notebook(path, repository_url())
        ]
    print("\n".join(faults) or "No fault found.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
