"""run: source and calls become values, in a process of their own. `client` is the grader's side, `worker` the other; `jail` encloses it."""
