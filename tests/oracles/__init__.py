"""The functions of the course in PyTorch, float64: a second opinion written with another library and, where it can be, other algebra."""
