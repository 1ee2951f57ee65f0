"""Commands of the command line; with cli.py and app.py the only code that knows concrete adapters."""
