"""`ksef-agent hub demo`: a chain on one machine, with buttons.

chain.py   sandbox, hub and three tills, each till a process of its own
page.py    the buttons, at /demo of the hub
"""
