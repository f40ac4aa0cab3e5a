"""Who may see which rows, and ask what, in three layers that do not lean on each other: the connection to the published
files (`connection`), what may be asked (`queries`), and Superset's own row rules (`row_rules`)."""
