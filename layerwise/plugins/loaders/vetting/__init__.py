"""What model files would do, seen before anything of them is loaded."""
