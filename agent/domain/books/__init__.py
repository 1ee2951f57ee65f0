"""What the books take from invoices: rows of JPK_V7M(3), what KSeF holds beside them, payments for the settlement."""
