"""schemas/api/: the OpenAPI document and the JSON Schemas, generated from the types of the API (``make openapi``).

Answers are described by the dataclasses of agent/web/answers, bodies of requests by inputs.py (tests hold them against
the parsers), routes by operations.py. The files are committed: they are shipped, and a test compares them.
"""
