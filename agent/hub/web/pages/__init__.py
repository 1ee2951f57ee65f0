"""The fleet page: made whole on the server, without a script, in Polish.

markup.py   escaping, tags, the frame of a page
fleet.py    all tills, one till
search.py   invoices across tills, register and outages
handlers.py what the browser asks for
style.css   one sheet
"""
