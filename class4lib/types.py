"""The words that options of several topics take."""
from typing import Literal

Reduction = Literal["mean", "sum", "none"]
Activation = Literal["sigmoid", "tanh", "relu"]
