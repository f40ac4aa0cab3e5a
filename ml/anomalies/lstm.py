"""An LSTM autoencoder: it encodes a sequence into a small state and decodes it from the newest period back (Malhotra
and others, 2016). Autograd computes its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autograd.numpy as np
from autograd import grad
from autograd.misc.flatten import flatten
from numpy.random import Generator

UNITS = 12
SEQUENCES_PER_STEP = 256
LEARNING_RATE = 0.01
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.999

Weights = dict[str, Any]


def trained(
    inputs: np.ndarray, ends: tuple[np.ndarray, np.ndarray], periods: int, steps: int, random: Generator
) -> Weights:
    """Weights that reconstruct sequences of `periods` periods of `inputs` (series by periods by channels).

    `ends`: the series and periods at which sequences may end. `steps`: steps of Adam (Kingma and Ba, 2015), each on
    sequences drawn at random.
    """
    weights, restored = flatten(_at_first(inputs.shape[-1], random))
    gradient = grad(lambda weights, sequence: _squared_error(restored(weights), sequence))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        drawn = random.integers(0, len(ends[0]), SEQUENCES_PER_STEP)
        series, last = ends[0][drawn], ends[1][drawn]
        slope = gradient(weights, [inputs[series, last - back] for back in reversed(range(periods))])
        mean = MEAN_DECAY * mean + (1 - MEAN_DECAY) * slope
        square = SQUARE_DECAY * square + (1 - SQUARE_DECAY) * slope**2
        rate = LEARNING_RATE * (1 - step / steps) * np.sqrt(1 - SQUARE_DECAY**step) / (1 - MEAN_DECAY**step)
        weights = weights - np.float32(rate) * mean / (np.sqrt(square) + 1e-8)
    return restored(weights)


def newest_errors(weights: Weights, inputs: np.ndarray, periods: int) -> np.ndarray:
    """The newest period of every sequence of `periods` periods, less its reconstruction.

    `inputs`: series by periods by channels. No sequence ends in the first `periods - 1`, so the result leaves them out.
    """
    arriving = _arriving(weights["encoder"], inputs)
    ends = inputs.shape[1] - periods + 1
    state = _encoded(weights, [arriving[:, first : first + ends] for first in range(periods)])
    return inputs[:, periods - 1 :] - _decoded(weights, state, 1)[0]


def _at_first(channels: int, random: Generator) -> Weights:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, rows**-0.5, (rows, columns)).astype(np.float32)

    def cell() -> Weights:
        # a cell that forgets little learns sooner
        bias = np.repeat(np.array([0, 1, 0, 0], np.float32), UNITS)
        return {"inward": matrix(channels, 4 * UNITS), "recurrent": matrix(UNITS, 4 * UNITS), "bias": bias}

    outward = {"matrix": matrix(UNITS, channels), "bias": np.zeros(channels, np.float32)}
    return {"encoder": cell(), "decoder": cell(), "outward": outward}


def _squared_error(weights: Weights, sequence: Sequence[Any]) -> Any:
    state = _encoded(weights, [_arriving(weights["encoder"], values) for values in sequence])
    decoded = _decoded(weights, state, len(sequence))
    return sum(np.mean((values - again) ** 2) for values, again in zip(sequence, reversed(decoded), strict=True))


def _encoded(weights: Weights, arriving: Sequence[Any]) -> tuple[Any, Any]:
    output = memory = np.zeros((*arriving[0].shape[:-1], UNITS), np.float32)
    for values in arriving:
        output, memory = _next_state(weights["encoder"], values, output, memory)
    return output, memory


def _decoded(weights: Weights, state: tuple[Any, Any], periods: int) -> list[Any]:
    """The newest `periods` periods, newest first; each is decoded from the one decoded before it."""
    (output, memory), outward = state, weights["outward"]
    arriving = weights["decoder"]["bias"]
    decoded = []
    for _ in range(periods):
        output, memory = _next_state(weights["decoder"], arriving, output, memory)
        decoded.append(output @ outward["matrix"] + outward["bias"])
        arriving = _arriving(weights["decoder"], decoded[-1])
    return decoded


def _arriving(cell: Weights, values: Any) -> Any:
    return values @ cell["inward"] + cell["bias"]


def _next_state(cell: Weights, arriving: Any, output: Any, memory: Any) -> tuple[Any, Any]:
    """Hochreiter and Schmidhuber, 1997, with the forget gate of Gers and others, 2000."""
    activations = np.tanh(arriving + output @ cell["recurrent"])
    # (1 + tanh) / 2 is the logistic function, at twice the weights
    admit, keep, emit = (0.5 + 0.5 * activations[..., gate * UNITS : (gate + 1) * UNITS] for gate in range(3))
    memory = keep * memory + admit * activations[..., 3 * UNITS :]
    return emit * np.tanh(memory), memory
