"""The service: from a config file to answers over HTTP."""
