"""ast.parse for threads: in CPython 3.11 two at once end in `SystemError: AST constructor recursion depth mismatch`."""

import ast
import threading

_one_at_a_time = threading.Lock()


def parse(source: str) -> ast.Module:
    """The syntax tree of a source.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as ast.parse does.
    """
    with _one_at_a_time:
        return ast.parse(source)
