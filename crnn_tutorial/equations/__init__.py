"""The book's formulas as NumPy functions: forward, backward, and a whole CRNN.

They serve reading: each looks like its formula, takes the weights as Keras stores them,
and returns what Keras returns. No Keras is needed. Floats keep their type: float32
in, float32 out.
"""

from crnn_tutorial.equations.convolution import conv2d, conv2d_backward
from crnn_tutorial.equations.dense import (
    cross_entropy,
    cross_entropy_backward,
    dense,
    dense_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from crnn_tutorial.equations.network import (
    CRNN,
    map_to_sequence,
    map_to_sequence_backward,
)
from crnn_tutorial.equations.optimisers import AdamState, adam_step, sgd_step
from crnn_tutorial.equations.pooling import (
    average_pool2d,
    average_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from crnn_tutorial.equations.recurrence import (
    LSTMStep,
    lstm,
    lstm_backward,
    lstm_step,
    simple_rnn,
    simple_rnn_backward,
)
from crnn_tutorial.equations.shapes import check_shapes
from crnn_tutorial.equations.windows import add_windows, sliding_windows

__all__ = [
    "CRNN",
    "AdamState",
    "LSTMStep",
    "adam_step",
    "add_windows",
    "average_pool2d",
    "average_pool2d_backward",
    "check_shapes",
    "conv2d",
    "conv2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dense",
    "dense_backward",
    "lstm",
    "lstm_backward",
    "lstm_step",
    "map_to_sequence",
    "map_to_sequence_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "sgd_step",
    "sigmoid",
    "sigmoid_backward",
    "simple_rnn",
    "simple_rnn_backward",
    "sliding_windows",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
]
