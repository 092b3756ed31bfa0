"""Module: the state it finds, saves and loads; modes, hooks, descriptions; the containers."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


class Block(nn.Module):
    """Two layers that share one bias, a buffer, and a submodule: no call of super().__init__."""

    def __init__(self, width: int = 3) -> None:
        self.first = nn.Linear(width, 4)
        self.second = nn.Linear(4, 4)
        self.second.bias = self.first.bias
        self.scale = nn.Parameter(mg.ones(()))
        self.register_buffer("steps", mg.zeros((2,)))
        self.note = mg.ones(3)  # a plain tensor is no state

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).relu()) * self.scale


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU(), nn.Dropout(0.5), Block(4))


# State -------------------------------------------------------------------------------------------


def net_for_block() -> nn.Sequential:
    return nn.Sequential(Block(), nn.Linear(4, 2))


def test_names_of_parameters_and_buffers() -> None:
    model = net_for_block()
    assert [name for name, _ in model.named_parameters()] == [
        "0.scale", "0.first.weight", "0.first.bias", "0.second.weight", "1.weight", "1.bias",
    ]  # fmt: skip
    assert [name for name, _ in model.named_buffers()] == ["0.steps"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "0.first", "0.second", "1"]
    assert [type(child).__name__ for child in model.children()] == ["Block", "Linear"]
    assert len(list(model.buffers())) == 1


def test_shared_parameters_are_counted_once_and_saved_under_each_name() -> None:
    model = Block()
    assert model.count() == 12 + 4 + 16 + 1
    assert "second.bias" in model.state_dict()
    assert len({id(p) for p in model.parameters()}) == len(list(model.parameters()))
    twice = nn.Sequential(layer := nn.Linear(2, 2), layer)
    assert twice.count() == 6
    assert list(twice.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_assignment_registers_and_replaces() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(mg.ones(2))
    assert [name for name, _ in model.named_parameters()] == ["weight"]
    model.weight = None
    assert not list(model.parameters())
    model.layer = nn.Linear(1, 1, bias=False)
    assert [name for name, _ in model.named_parameters()] == ["layer.weight"]
    del model.layer
    assert not list(model.parameters())


def test_state_dict_is_a_copy_in_c_order() -> None:
    model = net_for_block()
    state = model.state_dict()
    with mg.no_grad():
        model[1].weight *= 2
    assert not np.array_equal(state["1.weight"], model[1].weight.numpy())
    assert all(value.flags.c_contiguous for value in state.values())
    assert state["0.first.weight"].shape == (4, 3)


def test_loading_writes_into_the_memory_that_is_there() -> None:
    model, other = net_for_block(), net_for_block()
    memory = {name: p.data for name, p in model.named_parameters()}
    loss = model(mg.ones((2, 3))).sum()
    result = model.load_state_dict(other.state_dict())
    assert result == ([], [])
    for name, p in model.named_parameters():
        assert p.data is memory[name]
        np.testing.assert_array_equal(p.numpy(), dict(other.named_parameters())[name].numpy())
    with pytest.raises(mg.GraphError, match="modified in place"):
        loss.backward()


def test_loading_from_tensors_lists_and_another_dtype() -> None:
    model = nn.Linear(2, 1)
    model.load_state_dict({"weight": [[1.0, 2.0]], "bias": mg.tensor([3.0], dtype="float64")})
    assert model.weight.dtype == model.bias.dtype == "float32"
    assert model(mg.tensor([1.0, 1.0])).item() == 6


LOAD_ERRORS = [
    ({"bias": None}, ValueError, "missing: bias"),
    ({"extra": np.zeros(1)}, ValueError, "unexpected: extra"),
    ({"weight": np.zeros((3, 2))}, mg.ShapeError, r"weight is \(3, 2\), and its place \(2, 3\)"),
    ({"bias": np.zeros(())}, mg.ShapeError, r"bias is \(\), and its place \(2,\)"),
]


@pytest.mark.parametrize(("change", "error", "message"), LOAD_ERRORS)
def test_a_state_that_does_not_fit_changes_nothing(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    model = nn.Linear(3, 2)
    before = model.state_dict()
    state = {name: value + 1 for name, value in before.items()} | change
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_not_strict_loads_what_matches() -> None:
    model = nn.Linear(1, 1)
    result = model.load_state_dict({"weight": [[7.0]], "extra": [0.0]}, strict=False)
    assert result.missing == ["bias"]
    assert result.unexpected == ["extra"]
    assert model.weight.item() == 7


def test_a_list_of_modules_is_an_error_and_a_tuple_is_not() -> None:
    model = nn.Module()
    model.layers = (nn.Linear(1, 1),)
    assert not list(model.parameters())
    model.layers = [nn.Linear(1, 1)]
    with pytest.raises(TypeError, match=r"use nn\.ModuleList"):
        list(model.parameters())


def test_to_keeps_the_objects_and_the_layout() -> None:
    model = net()
    ids = [id(p) for p in model.parameters()]
    assert model.to("float64") is model
    assert [id(p) for p in model.parameters()] == ids
    assert {str(p.dtype) for p in model.parameters()} == {"float64"}
    assert model[1].num_batches_tracked.dtype == "int64"
    assert model[1].running_mean.dtype == "float64"
    assert model[0].weight.data.T.flags.c_contiguous
    same = model[0].weight.data
    assert model.to("cpu")[0].weight.data is same
    with pytest.raises(mg.DeviceError):
        model.to("cuda:x")


def test_a_copy_shares_nothing() -> None:
    model = net_for_block()
    twin = copy.deepcopy(model)
    assert twin.count() == model.count()
    assert twin[0].second.bias is twin[0].first.bias
    assert twin[1].weight.data.T.flags.c_contiguous
    with mg.no_grad():
        twin[1].weight += 1
    assert not np.array_equal(twin[1].weight.numpy(), model[1].weight.numpy())


def test_a_module_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        model = net()
        model.register_forward_hook(lambda module, inputs, output: None)
        model.summary(mg.ones((4, 3)))
        model(mg.ones((4, 3))).sum().backward()
        ghost = weakref.ref(model[0].weight)
        del model
        assert ghost() is None
    finally:
        gc.enable()


# Modes, gradients, hooks -------------------------------------------------------------------------


def test_train_and_eval_reach_every_module() -> None:
    model = net()
    assert all(m.training for m in model.modules())
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())


def test_zero_grad_and_freezing() -> None:
    model = nn.Linear(2, 2)
    model(mg.ones((1, 2))).sum().backward()
    assert model.weight.grad is not None
    model.zero_grad()
    assert model.weight.grad is None
    model.requires_grad_(False)
    assert not model(mg.ones((1, 2))).requires_grad
    assert "6 parameters, 0 trainable" in model.summary()


def test_forward_hooks_see_replace_and_go() -> None:
    layer = nn.Linear(2, 2)
    seen: list[Any] = []

    def look(module: Any, inputs: Any, output: Any) -> None:
        seen.append((module, inputs, output))

    removers = [layer.register_forward_hook(look), layer.register_forward_hook(look)]
    x = mg.ones((1, 2))
    out = layer(x)
    assert [(m is layer, i[0] is x, o is out) for m, i, o in seen] == [(True, True, True)] * 2
    removers[0]()
    layer(x)
    assert len(seen) == 3
    removers[1]()
    removers[1]()
    layer(x)
    assert len(seen) == 3
    remove = layer.register_forward_hook(lambda module, inputs, output: output * 0 + 5)
    assert layer(x).tolist() == [[5, 5]]
    remove()
    remove = layer.register_forward_pre_hook(lambda module, inputs: inputs[0] * 0)
    np.testing.assert_array_equal(layer(x).numpy()[0], layer.bias.numpy())
    remove()
    np.testing.assert_array_equal(layer(x).numpy(), out.numpy())


def test_apply_reaches_children_before_their_parent() -> None:
    names: list[str] = []
    net_for_block().apply(lambda module: names.append(type(module).__name__))
    assert names == ["Linear", "Linear", "Linear", "Block", "Sequential"]


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Module defines no forward"):
        nn.Module()(1)


# Descriptions ------------------------------------------------------------------------------------


def test_repr() -> None:
    assert repr(nn.Linear(2, 3, bias=False)) == "Linear(2, 3, bias=False)  # 6 parameters"
    assert repr(nn.ReLU()) == "ReLU()"
    assert (
        repr(nn.Sequential(nn.Flatten(), net()))
        == """\
Sequential(  # 61 parameters
  (0): Flatten()
  (1): Sequential(  # 61 parameters
    (0): Linear(3, 4)  # 16 parameters
    (1): BatchNorm(4)  # 8 parameters
    (2): ReLU()
    (3): Dropout(0.5)
    (4): Block(  # 37 parameters
      (scale): Parameter()
      (first): Linear(4, 4)  # 20 parameters
      (second): Linear(4, 4)  # 20 parameters
    )
  )
)"""
    )


def test_repr_shows_the_parameters_that_a_module_holds_itself() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = nn.Parameter(mg.ones((3, 4)))
            self.layer = nn.Linear(4, 2)
            self.shift = nn.Parameter(mg.zeros(2))

    assert (
        repr(Scaled())
        == """\
Scaled(  # 24 parameters
  (scale): Parameter(3, 4)
  (shift): Parameter(2,)
  (layer): Linear(4, 2)  # 10 parameters
)"""
    )


def test_extra_repr_of_what_is_not_the_default() -> None:
    texts = [
        (nn.LeakyReLU(0.2), "LeakyReLU(0.2)"),
        (nn.ELU(2.0), "ELU(alpha=2.0)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softplus(3.0), "Softplus(beta=3.0)"),
        (nn.Softmax(0), "Softmax(axis=0)"),
        (nn.Flatten(0), "Flatten(start=0)"),
        (nn.MSELoss("sum"), "MSELoss(reduction='sum')"),
        (
            nn.BatchNorm(2, 0.1, None, False, False),
            "BatchNorm(2, eps=0.1, momentum=None, affine=False, track_running_stats=False)",
        ),
        (nn.LayerNorm((2, 3), bias=False), "LayerNorm((2, 3), bias=False)  # 6 parameters"),
        (nn.L2Penalty(nn.Linear(1, 1).parameters(), 0.1), "L2Penalty(2 tensors, 0.1)"),
    ]
    assert [repr(module) for module, _ in texts] == [text for _, text in texts]


def test_summary() -> None:
    model = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU(), layer := nn.Linear(4, 4), layer
    )
    before = model.state_dict()
    assert (
        model.summary(mg.ones((5, 3)))
        == """\
layer              output shape  parameters
-------------------------------------------
Sequential         (5, 4)
  0: Linear(3, 4)  (5, 4)                16
  1: BatchNorm(4)  (5, 4)                 8
  2: ReLU()        (5, 4)
  3: Linear(4, 4)  (5, 4)                20
-------------------------------------------
44 parameters, 44 trainable, 0.2 KiB"""
    )
    assert all(m.training for m in model.modules())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert model.summary().split("\n")[0] == "layer              parameters"


# Containers --------------------------------------------------------------------------------------


def test_sequential_is_a_list_of_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(model) == 3
    assert [type(m).__name__ for m in model] == ["Linear", "ReLU", "Linear"]
    assert model[-1] is model[2]
    head = model[:2]
    assert isinstance(head, nn.Sequential)
    assert head[0] is model[0]
    x = mg.randn(4, 2)
    np.testing.assert_array_equal(model(x).numpy(), model[2](head(x)).numpy())
    model[1] = nn.Tanh()
    assert isinstance(model[1], nn.Tanh)
    assert isinstance(head[1], nn.ReLU)
    model.append(nn.Sigmoid())
    assert len(model) == 4
    with pytest.raises(IndexError, match="index 4 of 4 modules"):
        model[4]
    with pytest.raises(TypeError, match="holds modules, not function"):
        nn.Sequential(lambda x: x)
    with pytest.raises(TypeError, match="holds modules, not list"):
        nn.Sequential([nn.ReLU()])


def test_module_list_registers_and_does_not_run() -> None:
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert [name for name, _ in layers.named_parameters()][:2] == ["0.weight", "0.bias"]
    assert len(layers[1:]) == 2
    assert type(layers[1:]) is nn.ModuleList
    with pytest.raises(NotImplementedError):
        layers(mg.ones((1, 2)))


def test_a_failed_assignment_leaves_the_container_alone() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    with pytest.raises(TypeError):
        model[0] = 3
    assert len(model) == 2


def test_refresh_statistics_averages_over_batches():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.Dropout(0.0)).eval()
    batches = [mg.randn(5, 3), mg.randn(5, 3) + 1]
    nn.refresh_statistics(model, batches)
    hidden = [model[0](x).numpy() for x in batches]
    mean = np.mean([h.mean(0) for h in hidden], axis=0)
    np.testing.assert_allclose(model[1].running_mean.numpy(), mean, atol=1e-6)
    assert not model[1].training
    assert not model.training
    nn.refresh_statistics(nn.Linear(3, 4), iter(()))  # nothing to refresh
    with np.errstate(all="ignore"):
        model.train()(mg.full((2, 3), float("inf")))  # a trial that went too far
    assert model[1].running_mean.isnan().all()
    nn.refresh_statistics(model, batches)
    np.testing.assert_allclose(model[1].running_mean.numpy(), mean, atol=1e-6)
    assert model[1].running_var.isfinite().all()
