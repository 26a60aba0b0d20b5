"""Recording networks while they are trained, whatever trains them."""
