"""A small transformer in NumPy, ready trained: an ALBERT that has read chemical reactions.

Schwaller et al. trained it on 1.3 million reactions, written as SMILES text, to guess tokens that were masked. One
layer (attention, then a feed-forward network "ffn") is passed twelve times, with the same weights: that is what makes
an ALBERT small. All matrices are stored as (inputs, outputs), so that a layer computes x @ w + b.

Each matrix product goes through one function, `multiply(name, x, w)`. Give your own to quantize x and w on the way.

References
----------
P. Schwaller, B. Hoover, J.-L. Reymond, H. Strobelt, T. Laino, "Extraction of organic chemistry grammar from
unsupervised learning of chemical reactions", Science Advances 7 (2021) eabe4166. Z. Lan et al., "ALBERT: A lite BERT
for self-supervised learning of language representations", ICLR 2020.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qlib.arguments import is_integer
from qlib.mnist import verified

FILE = "tools/07_transformer.npz"
PASSES, HEADS, EPSILON = 12, 8, 1e-12  # as in the network's config.json
LAYERS = ("embedding", "query", "key", "value", "attention_output", "ffn", "ffn_output", "head", "decoder")
MASKED = 0.15  # share of the tokens, as in BERT (Devlin et al. 2019)
# A token of SMILES: an atom in brackets, an atom of one or two letters, a bond, a ring's number, or ">>".
TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOSPFIbcnosp]|[().=#\-+\\/:~@?*$]|>>?|%\d\d|\d")

Multiply = Callable[[str, np.ndarray, np.ndarray], np.ndarray]
Tokens = Sequence[np.ndarray]


def plain(name: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x @ w, whatever the layer's name."""
    return x @ w


# ------------------------------------------------------------------ the two functions between the products


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26). NumPy has none.

    >>> erf(np.array([0.0, 1.0, -1.0])).round(4).tolist()
    [0.0, 0.8427, -0.8427]
    """
    t = 1 / (1 + 0.3275911 * np.abs(x))
    sum_ = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - sum_ * np.exp(-x * x))


def gelu(x: np.ndarray) -> np.ndarray:
    """x Φ(x), with the distribution function Φ of the normal distribution (Hendrycks and Gimpel 2016).

    >>> gelu(np.array([-10.0, 0.0, 10.0])).round(4).tolist()
    [-0.0, 0.0, 10.0]
    """
    return x * (0.5 + 0.5 * erf(x * np.float32(0.5**0.5)))


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and variance 1, then times `gain` plus `bias` for each channel (Ba et al. 2016)."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(EPSILON)) * gain + bias


# ------------------------------------------------------------------ the network


@dataclass(frozen=True)
class Transformer:
    """Weights, vocabulary and reactions.

    Attributes
    ----------
    weights : dict of float32 arrays
        For each of `LAYERS` "NAME.w" (inputs, outputs) and "NAME.b"; four LayerNorms "norm_….gain" and "….bias"; the
        embeddings "tokens" (591, 128) and "positions" (512, 128).
    vocabulary : the text of each token
    reactions : reactions as SMILES text
    """

    weights: dict[str, np.ndarray]
    vocabulary: tuple[str, ...]
    reactions: tuple[str, ...]

    def encode(self, reaction: str) -> np.ndarray:
        """The tokens of a reaction as integers, between [CLS] and [SEP].

        Raises
        ------
        ValueError
            If it is no text of SMILES tokens, or has more tokens than the network has positions.
        """
        parts = TOKEN.findall(reaction) if isinstance(reaction, str) else []
        if not parts or "".join(parts) != reaction:
            raise ValueError(f"reaction: expected SMILES text, got {reaction!r}")
        if len(parts) + 2 > len(self.weights["positions"]):
            raise ValueError(f"reaction: expected at most 510 tokens, got {len(parts)}")
        number = {text: i for i, text in enumerate(self.vocabulary)}
        unknown = number["[UNK]"]
        return np.array([number["[CLS]"], *(number.get(part, unknown) for part in parts), number["[SEP]"]])

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens."""
        return "".join(self.vocabulary[token] for token in tokens)

    def mask(self, tokens: np.ndarray, seed: int, share: float = MASKED) -> tuple[np.ndarray, np.ndarray]:
        """A copy with `share` of the tokens between the ends (one at least) replaced by [MASK], and their places."""
        count = max(1, round(share * (len(tokens) - 2)))
        places = np.sort(1 + np.random.default_rng(seed).permutation(len(tokens) - 2)[:count])
        masked = tokens.copy()
        masked[places] = self.vocabulary.index("[MASK]")
        return masked, places

    def forward(self, sequences: Tokens, multiply: Multiply = plain) -> np.ndarray:
        """The logits of each token of each sequence: what stands there, as far as the network can tell.

        Parameters
        ----------
        sequences : arrays of tokens, as `encode` or `mask` return them
        multiply : function of (name, x, w)
            The product of each layer's input x (all tokens, inputs) and its weights w (inputs, outputs). `name` is one
            of `LAYERS`; in each of the twelve passes "query" to "ffn_output" come again.

        Returns
        -------
        float32 (all tokens, 591), the sequences one after another

        Raises
        ------
        ValueError
            If there is no sequence, or a sequence holds what is no token, or more tokens than there are positions.
        """
        most = len(self.weights["positions"])
        sequences = [_as_tokens(tokens, len(self.vocabulary), most) for tokens in sequences]
        if not sequences:
            raise ValueError("sequences: expected at least one, got none")
        w = self.weights

        def layer(name: str, x: np.ndarray) -> np.ndarray:
            return multiply(name, x, w[f"{name}.w"]) + w[f"{name}.b"]

        def norm(name: str, x: np.ndarray) -> np.ndarray:
            return layer_norm(x, w[f"norm_{name}.gain"], w[f"norm_{name}.bias"])

        x = np.concatenate([w["tokens"][tokens] + w["positions"][: len(tokens)] for tokens in sequences])
        x = layer("embedding", norm("embedding", x))
        ends = np.cumsum([len(tokens) for tokens in sequences])[:-1]
        for _ in range(PASSES):
            attended = attention(layer("query", x), layer("key", x), layer("value", x), ends)
            x = norm("attention", x + layer("attention_output", attended))
            x = norm("ffn", x + layer("ffn_output", gelu(layer("ffn", x))))
        return layer("decoder", norm("head", gelu(layer("head", x))))


def attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """softmax(q kᵀ / √d) v for each of eight heads, within each sequence (Vaswani et al. 2017, equation 1).

    Parameters
    ----------
    query, key, value : float32 (all tokens, channels); each head has an eighth of the channels
    ends : where the next sequence begins, as for `np.split`
    """
    done = []
    for parts in zip(*(np.split(x, ends) for x in (query, key, value)), strict=True):
        q, k, v = (part.reshape(len(part), HEADS, -1).swapaxes(0, 1) for part in parts)  # (heads, tokens, d)
        scores = q @ k.swapaxes(1, 2) / np.float32(np.sqrt(q.shape[-1]))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        done.append((shares @ v).swapaxes(0, 1).reshape(parts[0].shape))
    return np.concatenate(done)


# ------------------------------------------------------------------ what the lesson asks for


@cache
def load_transformer() -> Transformer:
    """The network of lesson 07, from `data/tools/07_transformer.npz` (its origin is in data/README.md)."""
    with np.load(verified(FILE)) as file:
        weights = {name: file[name] for name in file.files if name not in ("vocabulary", "reactions")}
        texts = (tuple(file[name].tolist()) for name in ("vocabulary", "reactions"))
        weights["decoder.w"] = weights["tokens"].T  # shared
        for array in weights.values():
            array.setflags(write=False)  # the loaded network is shared
        return Transformer(weights, *texts)


def activations(network: Transformer, sequences: Tokens, names: Sequence[str] = LAYERS) -> dict[str, list[np.ndarray]]:
    """The inputs x of the layers `names`, each (all tokens, inputs): a list with one entry for each pass.

    Raises
    ------
    ValueError
        If a name is none of `LAYERS`.

    Examples
    --------
    >>> network = load_transformer()
    >>> x = activations(network, [network.encode("CCO>>CC=O")], ["ffn"])["ffn"]
    >>> len(x), x[0].shape  # [CLS] C C O >> C C = O [SEP]
    (12, (10, 256))
    """
    if unknown := [name for name in names if name not in LAYERS]:
        raise ValueError(f"names: expected some of {LAYERS}, got {unknown}")
    seen = {name: [] for name in names}

    def watch(name: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        if name in seen:
            seen[name].append(x)
        return x @ w

    network.forward(sequences, watch)
    return seen


def _as_tokens(tokens: object, different: int, most: int) -> np.ndarray:
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or tokens.size == 0 or not all(map(is_integer, tokens)):
        raise ValueError(f"sequences: expected arrays of integer tokens, got {tokens!r}")
    if tokens.min() < 0 or tokens.max() >= different:
        raise ValueError(f"sequences: expected tokens from 0 to {different - 1}, got {tokens.min()} … {tokens.max()}")
    if len(tokens) > most:
        raise ValueError(f"sequences: expected at most {most} tokens in each, got {len(tokens)}")
    return tokens
