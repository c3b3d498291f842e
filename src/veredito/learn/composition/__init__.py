"""Learners made of learners that stand beside each other; `pipeline` puts them one after the other."""
