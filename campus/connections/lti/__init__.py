"""LTI 1.3 Advantage: Rollcall as a tool of learning platforms."""
