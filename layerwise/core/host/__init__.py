"""How plugins are found, called and checked: kinds of offer, hook specifications, registry, validation."""
