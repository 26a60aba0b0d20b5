"""Recordings beside networks: which layer each area is most like, and how sure that is."""
