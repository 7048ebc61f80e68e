"""Result tables: HTML in a notebook, aligned text elsewhere."""

import html
from dataclasses import dataclass


def count(number):
    """Write a number with commas, or a dash for None."""
    return "–" if number is None else f"{number:,}"


def _seconds(duration):
    if duration is None:
        return "–"
    return f"{duration:.1f}" if duration < 10 else f"{duration:,.0f}"


@dataclass(frozen=True, repr=False)
class ResultTable:
    """Rivals side by side: HTML in a notebook, ``text`` elsewhere.

    Parameters
    ----------
    rows : dict
        Name -> ``Evaluation``, all with the same metric.
    caption : str
        One sentence above the table.

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> scores = np.array([1.0, 0.0])
    >>> crnn = ct.Evaluation("accuracy", 0.5, 0.2, 0.8, scores, 20_304, 98_304, 21.3)
    >>> print(ct.ResultTable({"CRNN": crnn}, "A test of two images.").text)
    A test of two images.
    | who      | accuracy [95 %]     | parameters | seconds |
    |:---------|--------------------:|-----------:|--------:|
    | **CRNN** | 50.0 % [20.0, 80.0] |     20,304 |      21 |
    """

    rows: dict
    caption: str

    @property
    def best(self):
        """Names of the rows with the highest score: they are set in bold."""
        highest = max(row.score for row in self.rows.values())
        return [name for name, row in self.rows.items() if row.score == highest]

    def _head(self):
        metric = next(iter(self.rows.values())).metric
        return ["who", f"{metric} [95 %]", "parameters", "seconds"]

    @property
    def text(self):
        """The four columns as an aligned table, which Markdown understands too."""
        lines = [self._head()]
        for name, row in self.rows.items():
            cells = [str(row.interval), count(row.parameters), _seconds(row.seconds)]
            who = name.replace("|", "\\|")
            lines.append([f"**{who}**" if name in self.best else who, *cells])
        return f"{self.caption}\n{_align(lines)}"

    def __repr__(self):
        work = [
            f"{name}: {count(row.multiplications)} multiplications for an image, "
            f"{row.images:,} images"
            for name, row in self.rows.items()
        ]
        return "\n".join([self.text, *work])

    def _repr_html_(self):
        shown, folded = [], []
        for name, row in self.rows.items():
            score = _html_score(row.interval)
            cells = [score, count(row.parameters), _seconds(row.seconds)]
            shown.append(_html_row(name, cells, bold=name in self.best))
            folded.append(
                _html_row(name, [count(row.multiplications), f"{row.images:,}"])
            )
        work = ["who", "multiplications", "images"]
        return (
            '<div class="result-table">'
            + _html_table(html.escape(self.caption), self._head(), shown)
            + "<details><summary>Work for one image, and number of images</summary>"
            + _html_table("Multiplications for one image", work, folded)
            + "</details></div>"
        )


def _align(lines):
    """Lay out rows of cells in columns; the first is text, the others are numbers."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for who, *numbers in lines:
        cells = [who.ljust(widths[0])]
        cells += [n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True)]
        rows.append("| " + " | ".join(cells) + " |")
    right = [f"{'-' * (width + 1)}:" for width in widths[1:]]
    rows.insert(1, "|" + "|".join([f":{'-' * (widths[0] + 1)}", *right]) + "|")
    return "\n".join(rows)


# Narrow enough for a telephone of 360 px: small cells, and only the interval and the
# name may break.
_CELL = 'style="padding: 0.2em 0.4em; text-align: right"'

_NAME = 'style="padding: 0.2em 0.4em; text-align: left"'


def _html_score(interval):
    value, bracket, rest = str(interval).partition(" [")
    value = f'<span style="white-space: nowrap">{value}</span>'
    if not bracket:
        return value
    return f'{value} <span style="white-space: nowrap">[{rest}</span>'


def _html_row(name, cells, bold=False):
    wrap = "<strong>{}</strong>" if bold else "{}"
    who = f'<th scope="row" {_NAME}>{wrap.format(html.escape(name))}</th>'
    if not bold:  # browsers set every <th> in bold
        who = who.replace("text-align: left", "text-align: left; font-weight: normal")
    return who + "".join(f"<td {_CELL}>{wrap.format(cell)}</td>" for cell in cells)


def _html_table(caption, head, rows):
    columns = [f'<th scope="col" {_NAME}>{html.escape(head[0])}</th>']
    columns += [f'<th scope="col" {_CELL}>{html.escape(c)}</th>' for c in head[1:]]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<table style="font-size: 0.85em"><caption>{caption}</caption>'
        f"<thead><tr>{''.join(columns)}</tr></thead><tbody>{body}</tbody></table>"
    )
