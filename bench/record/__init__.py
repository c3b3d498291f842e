"""What recording costs a decision, and how fast records leave for the sinks."""
