"""What a classifier gets wrong: the confusion matrix, the worst mistakes with pictures."""

from __future__ import annotations

from html import escape

from minigrad.viz.reports.folder import Row, RunFolder

_CELLS = 26  # classes that a matrix can show; of more the pairs are listed
_PAIRS = 20


def mistakes(run: RunFolder) -> str:
    """Return the section, or "" if there is nothing known of the run's mistakes."""
    found = run.mistakes
    if not found:
        return ""
    classes = found["classes"]
    wrong = sum(count for true, predicted, count in found["confusion"] if true != predicted)
    rows = found["rows"]
    data = escape(found["data"])
    text = f"{wrong:,} of {rows:,} rows of the {data} data are taken for another class"
    if wrong > len(found["worst"]) > 0:
        text += f"; below, the {len(found['worst'])} where it is surest"
    show = _matrix if len(classes) <= _CELLS else _pairs
    worst = "".join(_worst(entry, classes) for entry in found["worst"])
    return (
        f"<p>{text}.</p><div class='mistakes'><div class='wide'>{show(found)}</div>"
        f"<div class='worst'>{worst}</div></div>"
    )


def _matrix(found: Row) -> str:
    """Return the confusion matrix as a table, each row shaded by its shares."""
    classes = found["classes"]
    counts = {(true, predicted): count for true, predicted, count in found["confusion"]}
    head = "".join(f"<th scope='col'>{escape(name[:14])}</th>" for name in classes)
    body = ""
    for i, name in enumerate(classes):
        total = sum(counts.get((i, j), 0) for j in range(len(classes))) or 1
        cells = ""
        for j in range(len(classes)):
            count = counts.get((i, j), 0)
            kind = "right" if i == j else "wrong"
            depth = (count / total) ** 0.5 if i != j else count / total
            style = f' class="{kind}" style="--share:{depth:.2f}"' if count else ""
            cells += f"<td{style}>{count or '·'}</td>"
        body += f"<tr><th scope='row'>{escape(name[:14])}</th>{cells}</tr>"
    return (
        "<table class='confusion'><caption>true class by row, predicted class by column</caption>"
        f"<tr><th></th>{head}</tr>{body}</table>"
    )


def _pairs(found: Row) -> str:
    """Return the most frequent confusions as a table."""
    classes = found["classes"]
    wrong = sorted((c for c in found["confusion"] if c[0] != c[1]), key=lambda c: -c[2])[:_PAIRS]
    rows = "".join(
        f"<tr><td>{escape(classes[true])}</td><td>{escape(classes[predicted])}</td>"
        f"<td>{count:,}</td></tr>"
        for true, predicted, count in wrong
    )
    return f"<table><tr><th>true</th><th>predicted</th><th>rows</th></tr>{rows}</table>"


def _worst(entry: Row, classes: list[str]) -> str:
    """Return one mistake: its picture or numbers, and what it was taken for."""
    true, predicted = (escape(classes[entry[part]][:24]) for part in ("true", "predicted"))
    if "png" in entry:
        alt = f"row {int(entry['row'])}, {true} taken for {predicted}"
        what = f'<img alt="{alt}" src="data:image/png;base64,{escape(entry["png"])}">'
    else:
        numbers = ", ".join(f"{value:.3g}" for value in entry["values"])
        what = f"<code>{escape(numbers)}</code>"
    return (
        f"<figure>{what}<figcaption>{true} → <strong>{predicted}</strong><br>"
        f"<small>{entry['probability']:.0%}, row {int(entry['row'])}</small></figcaption></figure>"
    )
