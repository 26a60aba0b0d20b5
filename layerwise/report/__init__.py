"""The report: its content as types, the page that shows it, figures by name, and figures on paper. No plugin.

`content` and `atlas` say what a page can show, `section` what a report section is asked for, `queries`, `scale` and
`drawing` are what sections are written with, `page` makes one HTML file, `by_name` finds a figure, `paper` prints it.
"""
