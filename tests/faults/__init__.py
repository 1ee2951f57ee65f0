"""The goal table of docs/reliability.md, run: campaigns with counts and seeds, resumable, told by docs/proof.md."""
