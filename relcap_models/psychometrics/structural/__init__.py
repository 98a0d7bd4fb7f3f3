"""Factor and structural equation models in lavaan's syntax."""
