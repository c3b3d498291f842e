"""The 50 columns and the seven steps' roles. Nothing is imported here: both sides read it, in two environments."""

NUMBERS = [f"n{i}" for i in range(45)]
COUNTED = ["merchant", "city", "device"]
HOT = ["country", "channel"]
TARGET = "fraud"
CATEGORIES = {"merchant": 2_000, "city": 500, "device": 50, "country": 12, "channel": 4}
PLACEHOLDER = -999.0
UNSEEN_COUNT = 1
MODEL = {"C": 0.1, "solver": "liblinear"}  # fklearn's own defaults
