"""What screens and till software ask about invoices."""
