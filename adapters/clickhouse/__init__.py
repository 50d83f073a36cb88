"""
Tables in ClickHouse, over three transports that the URL's scheme picks: in process (chDB), HTTP, and native TCP.

Read it in this order: `client.py` (one conversation, three transports), `forms.py` (how a column of a batch lies in a
table), `table.py` (what every table does), then a file a port. `errors.py` says what a failure means.
"""
