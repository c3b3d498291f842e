"""One file a subject: how it is written and configured, and why. `PORT` is given in the environment."""
