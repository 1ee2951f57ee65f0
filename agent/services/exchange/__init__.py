"""Documents that come as files: EDI++, and the drop folder of programs that cannot speak HTTP."""
