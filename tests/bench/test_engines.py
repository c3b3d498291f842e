"""The page of the engines' case says what saving measured."""

from bench.engines.__main__ import page

MACHINE = {"date": "2026-01-01", "cores": 2, "processor": "P", "memory_gb": 1, "system": "S", "python": "3"}


def measured(one_row_us, difference=0.0, refused=""):
    return {"one_row_us": one_row_us, "difference": difference, "refused": refused, "chosen": False}


def test_an_engine_has_its_time_its_ratio_and_its_difference():
    engines = {"XGBoost": {"native": measured(500.0), "onnx": measured(25.0, 1e-7)}}

    text = page({"engines": engines, "machine": MACHINE, "quick": False})

    assert "| XGBoost | 500 µs | `onnx` | 25 µs | 20 | 1e-07 |" in text


def test_a_refused_engine_has_no_figures_and_a_quick_run_says_so():
    engines = {"Keras": {"native": measured(1_000.0), "numpy": measured(None, 0.1, "differs")}}

    text = page({"engines": engines, "machine": MACHINE, "quick": True})

    assert "| Keras | 1,000 µs | `numpy` | refused | - | - |" in text
    assert "A quick run" in text
