"""What a configuration may hold: described once, for all who read one."""
