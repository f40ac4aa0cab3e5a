"""Who may sign in (`sign_in`, `people`), what people learn of one another (`privacy`), and who may see which rows.

The rows are kept apart in three layers that do not lean on each other: the connection to the published files
(`connection`), what may be asked (`queries`), and Superset's own row rules (`row_rules`).
"""
