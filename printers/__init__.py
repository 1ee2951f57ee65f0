"""Receipt documents to ESC/POS bytes, pictures and printers; of the agent they know receipt, errors and ports only."""
