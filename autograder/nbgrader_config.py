"""Stock nbgrader, told where things are and which preprocessors of ours stand in its list."""

from typing import Any

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbgrader import preprocessors as stock

from autograder import course
from autograder import nbgrader_plugins as plugins


def configure(c: Any) -> None:
    """Set nbgrader's configuration for this course."""
    root = course.root()
    c.CourseDirectory.root = str(root)
    c.CourseDirectory.course_id = "class4"
    c.CourseDirectory.source_directory = "solutions"
    c.CourseDirectory.release_directory = "notebooks"
    c.CourseDirectory.submitted_directory = "var/submitted"
    c.CourseDirectory.autograded_directory = "var/autograded"
    c.CourseDirectory.feedback_directory = "var/feedback"
    c.CourseDirectory.db_url = f"sqlite:///{root}/var/gradebook.db"
    c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.py", "*.json", ".*", "*_files"]
    c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code here"}
    c.ClearSolutions.text_stub = "*Your answer here.*"
    # nbgrader's own lists, with one step of ours where it must stand.
    c.GenerateAssignment.preprocessors = [
        stock.IncludeHeaderFooter,
        stock.ClearSolutions,
        plugins.TagChecks,
        stock.LockCells,
        stock.ComputeChecksums,
        stock.SaveCells,
        stock.ClearOutput,
        stock.CheckCellMetadata,
    ]
    c.Autograde.exporter_class = plugins.SubmissionExporter
    c.Autograde.pre_convert_hook = plugins.know_every_notebook
    c.Autograde.sanitize_preprocessors = [stock.OverwriteCells, stock.CheckCellMetadata]
    c.Autograde.autograde_preprocessors = [
        plugins.ShowVerdict,
        stock.SaveAutoGrades,
        plugins.RecordVerdict,
        stock.AssignLatePenalties,
        stock.CheckCellMetadata,
    ]
    # Feedback is HTML made from what students wrote: nothing of theirs may run in the reader's browser. Outputs are ours alone.
    c.GenerateFeedback.preprocessors = [stock.GetGrades, CSSHTMLHeaderPreprocessor, SanitizeHTML]
    c.SanitizeHTML.enabled = True
    c.SanitizeHTML.sanitized_output_types = set()
    c.SanitizeHTML.safe_output_keys = {"metadata", "text/plain", "text/html"}
