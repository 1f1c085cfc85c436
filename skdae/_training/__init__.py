"""The engine that trains nets: data, batches, losses, optimizers, checkpoints."""

# Whole, before its parts: threads that begin with different ones at once would wait in a circle.
import skorch as skorch
