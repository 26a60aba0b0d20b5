"""The demo: handwritten digits, a small network trained on them, and a tour of what can be asked of it."""
