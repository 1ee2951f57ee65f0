"""The way of invoices to KSeF: the queue, single sends, batches, verdicts, UPO."""
