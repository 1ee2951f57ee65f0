"""Receipt documents to ESC/POS bytes, pictures and printers. Knows agent.domain.paper.receipt and agent.ports only."""
