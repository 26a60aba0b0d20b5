"""Loading Keras models: files, `keras.applications`, their graph, weights and compiled functions."""
