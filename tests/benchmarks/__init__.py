"""Per topic a file with `rows(n, rng)`: name -> (the library's call, PyTorch's call) on arrays of about n numbers, both ready to run."""
