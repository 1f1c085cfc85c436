"""The engine that trains nets: data, batches, losses, optimizers, checkpoints."""
