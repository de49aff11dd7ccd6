"""autograder: from a notebook to a verdict to the gradebook. build, collect, run, judge, record; see the README's map."""
