"""The learners' benchmark: fklearn's seven-step pipeline in fklearn and here, and LightGBM behind a table.

The data is generated from a seed and read by both from one file; each subject is a process of its own, fklearn in
an environment of its own with pinned versions, since it needs an older pandas. What scikit-learn takes to fit is
measured within and told apart: it is the same library's work on both sides.
"""
