"""Judges for answers that are right by a property and not by their values: one module a family, each entering itself in `judging.JUDGES`.

A module placed here is found by itself.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
