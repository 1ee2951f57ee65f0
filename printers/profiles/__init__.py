"""What printers are: width, fonts, code pages, answers."""
