"""Random cases for every public estimator, metric and file, and what each must end in.

A case is drawn from a `random.Random`, which `python -m fuzz` seeds with the case's name, and
which hypothesis controls in the tests. It ends in a right result or in a documented error;
anything else is an `oracle.Finding`.
"""
