import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "card_fraud"

sys.path.insert(0, str(EXAMPLE))  # as `veredito serve` does with the folder of service.toml
