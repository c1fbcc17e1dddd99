"""The service: an HTTP API over the library, with an image library, durable jobs and a page. Needs the extra `serve`.

Nothing about models or consent is decided here: `work` calls what the command line calls.
"""
