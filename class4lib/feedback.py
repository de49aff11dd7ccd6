"""A verdict as a person reads it: plain text for terminals and screen readers, HTML for notebooks."""

from html import escape

from class4lib.cases import Verdict

MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "not_attempted": "○", "unjudged": "?"}
WORDS = {
    "passed": "right",
    "partial": "partly right",
    "failed": "not right yet",
    "not_attempted": "not attempted yet",
    "unjudged": "could not be judged",
}
_COLOURS = {
    "passed": "#1a7f37",
    "partial": "#9a6700",
    "failed": "#cf222e",
    "not_attempted": "#6e7781",
    "unjudged": "#8250df",
}


def points(value: float) -> str:
    return f"{value:g}"


def headline(verdict: Verdict) -> str:
    """One line: name, verdict, points."""
    bonus = " (bonus)" if verdict.extension else ""
    return f"{MARKS[verdict.status]} {verdict.name}: {WORDS[verdict.status]}, {points(verdict.points)} of {points(verdict.max_points)} points{bonus}"


def tier_lines(verdict: Verdict) -> list[str]:
    """A line per tier: what passed, and the points it earns."""
    return [
        f"{'✓' if t.passed == t.cases else '✗'} {t.title}: {t.passed} of {t.cases} cases, {points(t.points)} of {points(t.max_points)} points"
        + (" (count once the tier above is complete)" if t.passed == t.cases and t.points < t.max_points else "")
        for t in verdict.tiers
    ]


def _more(verdict: Verdict) -> str:
    """How many failed cases are not told in full."""
    more = sum(t.cases - t.passed for t in verdict.tiers) - len(verdict.findings)
    return f"… and {more} more case{'s' if more > 1 else ''}" if verdict.findings and more > 0 else ""


def text(verdict: Verdict) -> str:
    """The whole verdict as plain text."""
    lines = [headline(verdict)]
    if verdict.status == "not_attempted":
        return "\n".join([*lines, verdict.advice])
    lines += [f"  {line}" for line in tier_lines(verdict)]
    for finding in verdict.findings:
        lines += ["", f"  case: {finding.case}"]
        lines += [
            _labelled(label, content)
            for label, content in (
                ("given", finding.given),
                ("returned", finding.returned),
                ("expected", finding.expected),
            )
            if content
        ]
        lines.append(f"    → {finding.text}")
    if _more(verdict):
        lines.append(f"  {_more(verdict)}")
    if verdict.misconception:
        lines += ["", f"  mistake recognised: {verdict.misconception}"]
    if verdict.advice:
        lines.append(f"  try: {verdict.advice}")
    return "\n".join(lines)


def _labelled(label: str, content: str) -> str:
    first, *rest = content.split("\n")
    return "\n".join([f"    {label + ':':10}{first}", *(" " * 14 + line for line in rest)])


def html(verdict: Verdict) -> str:
    """The whole verdict as HTML; every part is escaped, colours read on light and dark pages."""
    colour = _COLOURS[verdict.status]
    parts = [
        f'<div role="status" style="border-left:4px solid {colour};padding:.3em .9em;margin:.3em 0;max-width:60em">'
    ]
    parts.append(
        f'<p style="margin:.2em 0;font-weight:600"><span style="color:{colour}">{escape(headline(verdict))}</span></p>'
    )
    if verdict.status != "not_attempted":
        parts.append(
            '<ul style="margin:.2em 0;padding-left:1.2em;list-style:none">'
            + "".join(f"<li>{escape(line)}</li>" for line in tier_lines(verdict))
            + "</ul>"
        )
    for finding in verdict.findings:
        rows = [("given", finding.given), ("returned", finding.returned), ("expected", finding.expected)]
        parts.append(f'<p style="margin:.6em 0 .1em"><b>{escape(finding.case)}</b></p>')
        parts.append('<table style="border-collapse:collapse;margin:.1em 0">')
        parts += [
            f'<tr style="background:none"><th scope="row" style="text-align:left;vertical-align:top;font-weight:400;opacity:.75;padding:.1em 1em .1em 0">{label}</th>'
            f'<td style="text-align:left;padding:.1em 0"><pre style="margin:0;white-space:pre-wrap;background:none">{escape(content)}</pre></td></tr>'
            for label, content in rows
            if content
        ]
        parts.append(f'</table><p style="margin:.1em 0">→ {escape(finding.text)}</p>')
    if _more(verdict):
        parts.append(f'<p style="margin:.2em 0;opacity:.75">{_more(verdict)}</p>')
    if verdict.misconception:
        parts.append(f'<p style="margin:.6em 0 .1em">Mistake recognised: <b>{escape(verdict.misconception)}</b></p>')
    if verdict.advice:
        parts.append(f'<p style="margin:.1em 0"><b>Try:</b> {escape(verdict.advice)}</p>')
    return "".join([*parts, "</div>"])
