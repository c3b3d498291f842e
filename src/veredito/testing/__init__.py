"""For tests of decisions: a clock that is turned by hand, recorded effects, single nodes. Names only."""
