"""Pure data and rules: no I/O, no clocks read, no frameworks."""
