"""Files: estimators, weights, ONNX; written whole or not at all."""
