"""A formula of one's own: a signature that cannot be read is one clear line where it is written."""

import pytest

import minigrad as mg
from minigrad import optim

WRONG = {
    "@staticmethod\ndef update(theta, g, *, lr=0.1): ...": [
        "Mine.update(theta, g, lr) does not begin with t, theta, g",
    ],
    "@staticmethod\ndef update(theta, g, t, *, lr=0.1): ...": ["does not begin with t, theta, g"],
    "@staticmethod\ndef update(*, lr=0.1): ...": ["does not begin with t, theta, g"],
    "def update(t, theta, g, *, lr=0.1): ...": ["put @staticmethod above it"],
    "def update(self, t, theta, g, *, lr=0.1): ...": ["take self out and put @staticmethod above"],
    "@classmethod\ndef update(cls, t, theta, g, *, lr=0.1): ...": ["is a classmethod; legal is"],
    "update = 3": ["Mine.update is 3; legal is @staticmethod"],
    "@staticmethod\ndef formula(t, theta, g, *, lr=0.1): ...": ["has no update (it has formula)"],
    "pass": ["Mine has no update; a method is its formula"],
    "@staticmethod\ndef update(t, theta, g, *, lr): ...": ["hyperparameter lr has no default"],
    "@staticmethod\ndef update(t, theta, g, *, lr=0.1, k): ...": ["k has no default", "k=0.1"],
    "@staticmethod\ndef update(t, theta, g, *, rate=0.1): ...": ["has no lr", "after the *: lr="],
    "@staticmethod\ndef update(t, theta, g, lr=0.1): ...": ["stands before the *", "*, lr=0.1"],
    "@staticmethod\ndef update(t, theta, g, m='x', *, lr=0.1): ...": ["m='x' stands before the *"],
    "@staticmethod\ndef update(t, theta, g, *state, lr=0.1): ...": ["has *state; give each state"],
    "@staticmethod\ndef update(t, theta, g, *, lr=0.1, **rest): ...": ["has **rest; give each"],
}  # fmt: skip


def defined(body, base="optim.Optimizer"):
    names = {"optim": optim}
    lines = "\n".join("    " + line for line in body.splitlines())
    exec(f"class Mine({base}):\n{lines}\n", names)
    return names["Mine"]


@pytest.mark.parametrize("body", WRONG)
def test_a_formula_that_cannot_be_read_is_one_line(body):
    with pytest.raises(TypeError) as caught:
        defined(body)
    text = str(caught.value)
    assert text.startswith("Mine")
    assert "\n" not in text
    for part in WRONG[body]:
        assert part in text


def test_other_names_than_the_paper_s_are_legal():
    body = (
        "@staticmethod\ndef update(step, w, grad, m, a=1.0, *, lr=0.1): return w - lr * grad, m, a"
    )
    method = defined(body)
    assert (method.state_names, method.clock_names, method.clock_start) == (
        ("m",),
        ("a",),
        (0, 1.0),
    )
    p = mg.tensor([1.0], requires_grad=True)
    p.grad = [2.0]
    method([p]).step()
    assert p.tolist() == pytest.approx([0.8])


def test_a_direction_that_cannot_be_read_is_one_line():
    body = "def direction(self, at, f, g, *, damp): return -g"
    with pytest.raises(TypeError, match="direction: the hyperparameter damp has no"):
        defined(body, "optim.SecondOrder")
    method = defined("def directon(self, at, f, g): return -g", "optim.SecondOrder")
    with pytest.raises(TypeError, match="Mine has neither direction nor iterate; a method states"):
        method([mg.ones(2, requires_grad=True)])


def test_what_a_class_statement_says_holds_for_subclasses_too():
    decayed = defined("pass", "optim.AdamW")
    assert decayed.class_defaults == optim.AdamW.class_defaults
    assert defined("pass", "optim.GaussNewton").class_defaults["line_search"] == "armijo"
    assert defined("pass", "optim.AdamW, weight_decay=0.5").class_defaults["weight_decay"] == 0.5
    twice = defined("pass", "optim.StochasticDiagonalLM, lr=0.5")
    assert (twice.class_defaults["lr"], twice.class_defaults["line_search"]) == (0.5, "fixed")
    body = "def direction(self, at, f, g, *, lr=0.25): return -g"  # the last word
    assert defined(body, "optim.StochasticDiagonalLM").class_defaults["lr"] == 0.25
    assert optim.Adam.class_defaults["weight_decay"] == 0.0
