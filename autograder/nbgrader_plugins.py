"""The preprocessors of ours that stand in stock nbgrader's lists."""
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class TagChecks(NbGraderPreprocessor):
    """Release: a check raises on a wrong answer; the tag lets Run All go on past it."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, Any]:
        for cell in nb.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_"):
                cell.metadata["tags"] = ["raises-exception"]
        return nb, resources
