"""What a classifier gets wrong: how often which class is taken for which, and the worst rows.

What is not here: the loss and the accuracy (`metrics.py`), pictures of it (`minigrad.viz.reports`).
"""

from __future__ import annotations

import base64
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.training.metrics import batches, correct, evaluation

_WORST = 24
_SIDE = 64  # pixels; larger pictures are shown by every second, third, … of theirs
_MOST = 10_000  # rows of training data; of test data all are looked at
_VALUES = 6


def mistakes(model: Any, data: Any, most: int | None = None) -> dict[str, Any] | None:
    """Return what a model gets wrong on a dataset or loader, or None if it is no classifier.

    - ``rows``: how many were looked at (`most` at most); ``classes``: their names;
    - ``confusion``: [true class, predicted class, number of rows] where that is not 0;
    - ``worst``: of the rows that are wrong, those in which the predicted class is furthest above
      the true one, at most 24: ``row``, ``true``, ``predicted``, ``probability`` (of the predicted
      class), and ``png``, the picture in base64, or ``values``, the first numbers of the row.

    The model computes in eval mode, without recording. Scores that are not probabilities are taken
    for their logarithms, up to a constant. None is returned too if a score is not finite.
    """
    xp = backend.cpu
    dataset = getattr(data, "dataset", data if hasattr(data, "loader") else None)
    loader = batches(data if dataset is None else dataset, 1000, model)
    confusion: dict[tuple[int, int], int] = {}
    worst: list[tuple[float, int, dict[str, Any], Array]] = []
    seen = width = 0
    with evaluation(model):
        for x, y in loader.batches(0):
            output = model(x)
            if correct(output, y) is None:
                return None
            scores, true, rows = (backend.of((t.data,)).to_host(t.data) for t in (output, y, x))
            true = true.argmax(1) if true.ndim == 2 else true
            if not xp.isfinite(scores).all():
                return None
            predicted, each = scores.argmax(1), xp.arange(len(scores))
            width = scores.shape[1]
            pairs, counts = xp.unique(true * width + predicted, return_counts=True)
            for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
                key = divmod(pair, width)
                confusion[key] = confusion.get(key, 0) + count
            margins = scores[each, predicted] - scores[each, true]
            wrong = xp.flatnonzero(predicted != true)
            for i in wrong[xp.argsort(-margins[wrong], kind="stable")][:_WORST].tolist():
                facts = {
                    "row": seen + i,
                    "true": int(true[i]),
                    "predicted": int(predicted[i]),
                    "probability": float(_probabilities(xp, scores[i])[predicted[i]]),
                }
                worst.append((float(margins[i]), seen + i, facts, rows[i]))
            worst = sorted(worst, key=lambda entry: (-entry[0], entry[1]))[:_WORST]
            seen += len(scores)
            if most is not None and seen >= most:
                break
    classes = getattr(dataset, "classes", ())
    return {
        "rows": seen,
        "classes": list(map(str, classes if len(classes) == width else range(width))),
        "confusion": [[*pair, count] for pair, count in sorted(confusion.items())],
        "worst": _shown([(facts, row) for _, _, facts, row in worst], dataset),
    }


def of_run(loop: Any) -> dict[str, Any] | None:
    """Return the mistakes of a run's model: on its test data, or without them on the training's."""
    test = loop.test is not None
    found = mistakes(loop.model, loop.test if test else loop.loader, None if test else _MOST)
    return None if found is None else {"data": "test" if test else "train", **found}


def _probabilities(xp: Any, scores: Array) -> Array:
    """Return probabilities, of scores that are such already or their logarithms."""
    scores = scores.astype("float64")
    if scores.min() >= 0 and abs(scores.sum() - 1) < 1e-3:
        return scores
    powers = xp.exp(scores - scores.max())
    return powers / powers.sum()


def _shown(worst: list[tuple[dict[str, Any], Array]], dataset: Any) -> list[dict[str, Any]]:
    """Add to each mistake its picture or its first values."""
    from minigrad.viz.png import png  # here, so that training loads nothing of the pictures

    if not worst:
        return []
    shape = getattr(dataset, "image_shape", None) or worst[0][1].shape
    found = [_picture(row.reshape(shape)) for _, row in worst]
    pictures = [picture for picture in found if picture is not None]
    if len(pictures) < len(worst):
        return [facts | {"values": _first(row)} for facts, row in worst]
    low = min(float(picture.min()) for picture in pictures)
    high = max(float(picture.max()) for picture in pictures)
    scale = 255 / (high - low) if high > low else 0.0
    return [
        facts | {"png": base64.b64encode(png(((p - low) * scale).astype("uint8"))).decode()}
        for (facts, _), p in zip(worst, pictures, strict=True)
    ]


def _first(row: Array) -> list[float]:
    return [float(value) for value in row.reshape(-1)[:_VALUES]]


def _picture(pixels: Array) -> Array | None:
    """Return pixels of shape (height, width) or (height, width, 3); None if it is no picture."""
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        return None
    every = -(-max(pixels.shape[:2]) // _SIDE)
    return pixels[::every, ::every].astype("float64")
