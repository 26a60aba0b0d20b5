"""Loading TensorFlow graphs: frozen graphs and SavedModels."""
