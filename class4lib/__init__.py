"""class4lib: the reference library of Neural Networks Class 4, Advanced Architectures & Regularization.

One module a topic, in NumPy; `basics`, `network`, `training`, `data`, `plots` and `gradcheck` serve all of them; `check` is what a student
calls in a notebook. Importing class4lib imports nothing but this line.
"""
__version__ = "1.0.0"
