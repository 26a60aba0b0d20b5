"""TensorFlow's tensors as an engine's arrays, for networks that run on a GPU that TensorFlow sees."""
