"""Records -> message texts and keyboards. Pure: no clock, no network, no store, no awaits."""
