"""Whether what is stored is as it was written: seen when it is read and by `layerwise db check`, and repaired."""
