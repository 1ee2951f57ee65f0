"""A press: from the request to the invoice that is stored, sent and printed."""
