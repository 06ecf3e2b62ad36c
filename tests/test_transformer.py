"""The transformer of lesson 07: its functions by hand and beside `math`, its forward pass beside PyTorch's."""

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlib import transformer
from qlib.mnist import DATA
from qlib.transformer import LAYERS, PASSES, activations, load_transformer


@pytest.fixture(scope="module")
def network():
    return load_transformer()


@pytest.fixture(scope="module")
def tokens(network):
    return [network.encode(reaction) for reaction in network.reactions]


# ------------------------------------------------------------------ functions


@given(st.floats(-6, 6))
def test_erf_and_gelu_beside_math(x):
    assert abs(float(transformer.erf(np.array(x))) - math.erf(x)) < 2e-7
    wanted = x * (1 + math.erf(x / math.sqrt(2))) / 2
    assert abs(float(transformer.gelu(np.array(x))) - wanted) < 1e-6
    assert abs(float(transformer.gelu(np.float32(x))) - wanted) < 3e-6


def test_layer_norm_by_hand():
    x = np.array([[1.0, 3.0], [10.0, -10.0]], np.float32)
    found = transformer.layer_norm(x, np.float32([2, 1]), np.float32([0, 5]))
    assert found.tolist() == [[-2, 6], [2, 4]]  # ∓1 and ±1, times the gain, plus the bias


def test_attention_by_hand():
    """Eight heads of one channel. Head 0 looks at what is like it; the others see equal scores, and take the mean."""
    query, key, value = np.zeros((3, 3, 8))
    query[:, 0], key[:, 0], value[:] = [0, 50, 50], [0, 1, 0], np.array([[1.0], [2.0], [4.0]])
    found = transformer.attention(query, key, value, np.array([2]))  # sequences of two tokens and of one
    assert np.allclose(found[0], 1.5) and np.allclose(found[1, 1:], 1.5) and np.isclose(found[1, 0], 2)
    assert np.allclose(found[2], 4)  # alone in its sequence


# ------------------------------------------------------------------ tokens


def test_encode_by_hand(network):
    numbers = network.encode("CC(=O)[O-].[Na+]>>Cl")
    texts = ["[CLS]", "C", "C", "(", "=", "O", ")", "[O-]", ".", "[Na+]", ">>", "Cl", "[SEP]"]
    assert [network.vocabulary[number] for number in numbers] == texts
    assert network.decode(numbers[1:-1]) == "CC(=O)[O-].[Na+]>>Cl"
    assert network.vocabulary[network.encode("[Xx]")[1]] == "[UNK]"


def test_the_shipped_reactions_hold_only_known_tokens(network, tokens):
    assert len(tokens) == len(set(network.reactions)) == 52
    for reaction, numbers in zip(network.reactions, tokens, strict=True):
        assert network.decode(numbers) == f"[CLS]{reaction}[SEP]" and reaction.count(">>") == 1


@pytest.mark.parametrize("reaction", ["", "CXC", "C C", None, 3, "C" * 511])
def test_encode_refuses(network, reaction):
    with pytest.raises(ValueError, match="reaction: expected"):
        network.encode(reaction)


@given(st.integers(0, 51), st.integers(0, 99), st.floats(0.01, 1))
def test_mask_changes_so_many_and_no_end(index, seed, share):
    network = load_transformer()
    numbers = network.encode(network.reactions[index])
    before = numbers.copy()
    masked, places = network.mask(numbers, seed, share)
    assert np.array_equal(numbers, before)
    assert np.array_equal(np.flatnonzero(masked != numbers), places)
    assert len(places) == max(1, round(share * (len(numbers) - 2))) and 0 < places[0] and places[-1] < len(numbers) - 1
    assert {network.vocabulary[number] for number in masked[places]} == {"[MASK]"}


# ------------------------------------------------------------------ the network


def torch_logits(weights, numbers):
    """The same network with PyTorch's own gelu, LayerNorm and attention, for one sequence."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    w = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}

    def layer(name, x):
        return functional.linear(x, w[f"{name}.w"].T, w[f"{name}.b"])

    def norm(name, x):
        gain, bias = w[f"norm_{name}.gain"], w[f"norm_{name}.bias"]
        return functional.layer_norm(x, gain.shape, gain, bias, eps=1e-12)

    def heads(x):
        return x.unflatten(-1, (8, 32)).transpose(0, 1)

    x = layer("embedding", norm("embedding", w["tokens"][numbers] + w["positions"][: len(numbers)]))
    for _ in range(12):
        parts = [heads(layer(name, x)) for name in ("query", "key", "value")]
        attended = functional.scaled_dot_product_attention(*parts).transpose(0, 1).flatten(1)
        x = norm("attention", x + layer("attention_output", attended))
        x = norm("ffn", x + layer("ffn_output", functional.gelu(layer("ffn", x))))
    return layer("decoder", norm("head", functional.gelu(layer("head", x)))).numpy()


def test_forward_beside_pytorch(network, tokens):
    some = [network.mask(numbers, 0)[0] for numbers in tokens[:3]]
    found = network.forward(some)
    assert found.dtype == np.float32 and found.shape == (sum(map(len, some)), 591)
    wanted = np.concatenate([torch_logits(network.weights, numbers) for numbers in some])
    assert np.abs(found - wanted).max() < 1e-3 < np.abs(wanted).max() / 1e4


def test_sequences_do_not_see_each_other(network, tokens):
    together = network.forward(tokens[:2])
    alone = np.concatenate([network.forward([numbers]) for numbers in tokens[:2]])
    assert np.allclose(together, alone, atol=1e-3)


def test_masked_tokens_are_guessed(network, tokens):
    masked = [network.mask(numbers, i) for i, numbers in enumerate(tokens[:12])]
    guessed = network.forward([numbers for numbers, _ in masked]).argmax(axis=1)
    starts = np.cumsum([0] + [len(numbers) for numbers in tokens[:12]])
    places = np.concatenate([start + places for start, (_, places) in zip(starts, masked, strict=False)])
    assert np.mean(guessed[places] == np.concatenate(tokens[:12])[places]) > 0.9


def test_every_product_goes_through_multiply(network, tokens):
    calls = []

    def multiply(name, x, w):
        calls.append((name, x.shape[1] == w.shape[0]))
        return x @ w

    assert np.array_equal(network.forward(tokens[:1], multiply), network.forward(tokens[:1]))
    once = ("embedding", "head", "decoder")
    assert [name for name, _ in calls if name in once] == list(once) and all(fits for _, fits in calls)
    assert all(sum(name == called for called, _ in calls) == PASSES for name in LAYERS if name not in once)


def test_activations_are_the_inputs(network, tokens):
    seen = activations(network, tokens[:1], ["query", "ffn_output", "decoder"])
    assert [len(seen[name]) for name in seen] == [12, 12, 1]
    assert seen["ffn_output"][0].shape == (len(tokens[0]), 512)
    w, b = network.weights["decoder.w"], network.weights["decoder.b"]
    assert np.array_equal(seen["decoder"][0] @ w + b, network.forward(tokens[:1]))


def test_refusals(network):
    with pytest.raises(ValueError, match=r"names: expected some of .*got \['pooler'\]"):
        activations(network, [network.encode("C")], ["pooler"])
    for sequences in ([], [[]], [[0.5]], [[-1]], [[591]], [[[1]]], [np.ones(513, int)]):
        with pytest.raises(ValueError, match="sequences: expected"):
            network.forward(sequences)
    with pytest.raises(ValueError, match="read-only"):
        network.weights["ffn.w"][0] = 0


# ------------------------------------------------------------------ the script that made the file


@pytest.fixture
def script():
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("make_transformer", DATA / "make_transformer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_holds_the_shipped_reactions(script, network):
    assert tuple(script.REACTIONS.split()) == network.reactions
    assert list(script.LAYERS) == list(LAYERS)


def test_the_script_refuses_another_wheel(script, tmp_path):
    (tmp_path / "wheel.whl").write_bytes(b"PK")
    with pytest.raises(SystemExit, match=r"wheel\.whl: expected the wheel with the SHA-256"):
        script.main(tmp_path / "wheel.whl")
