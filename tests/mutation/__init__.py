"""Does the suite notice? Small changes of the program, one at a time, against the tests that run the changed line."""
