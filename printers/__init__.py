"""Receipt documents to ESC/POS bytes, pictures and printers. Knows agent.domain.receipt and agent.ports only."""
