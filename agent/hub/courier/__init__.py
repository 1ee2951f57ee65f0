"""The courier of one NIP: the only one that talks to KSeF for it, with what all its tills handed over.

couriers.py      which NIPs this process leads, and the couriers it runs for them
courier.py       one NIP: its loops, from taking the lead to losing it
link.py          whether KSeF answers
presses.py       invoices somebody waits for at a counter
backlog.py       everything else: doubts first, then what KSeF has not decided, then by deadline
batches.py       many invoices as one session
verdicts.py      what KSeF says, made durable and told to the tills
upo.py           KSeF's confirmations
certificates.py  the certificate that signs in, and the Offline certificates that tills share
rate_limited.py  how often KSeF turned calls away
"""
