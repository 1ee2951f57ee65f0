"""Receipt documents to ESC/POS bytes, and a strict parser of such bytes."""
