"""Join all use cases over the ports: one module a subject, services.py joins the subjects."""
