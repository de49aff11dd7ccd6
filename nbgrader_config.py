"""nbgrader looks for its configuration here, at the course's root; what is said stands in autograder/nbgrader_config.py."""
from autograder.nbgrader_config import configure

configure(get_config())  # type: ignore[name-defined]  # noqa: F821 (nbgrader defines it)
