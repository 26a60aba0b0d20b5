"""What a test of representations came to, for those who read it: words, continuous integration, a picture."""
