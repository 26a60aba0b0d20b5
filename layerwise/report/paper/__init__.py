"""Figures for papers: the look, the layout on paper, the drawing of stimulus matrices, and files of an exact size.

A figure comes from a report section (`report.by_name`); here its chart is laid out for a width in millimetres, drawn
by vl-convert, and written as SVG, PNG or PDF.
"""
