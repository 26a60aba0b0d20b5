"""Queries of people in a process of their own."""
