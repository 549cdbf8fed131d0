"""`pyinitctl timeline` and `report`: the life of a container, drawn and told from pyinit's journal.

In the order of their use: `journal` reads events, `model` makes processes and signals of them, `scale` and `rows` say
where each belongs, `text` writes for a terminal, `scene` draws shapes that `svg`, `png` and `html` write to a file, and
`trace` writes for other viewers. `report` makes figures of them, and `report_page` a page.
"""
