"""
A second opinion on every number, in plain Python with dictionaries and decimals.

Written from the published contracts alone; it shares no line with the refinery, so that a disagreement reveals a mistake.
`raw` reads message files, `meaning` says what becomes of each message, `results` folds ticks into tables, `feeds` is
the table of feeds, `messages` makes messages of every kind, `comparison` holds an export against all of it.
"""
