"""Real servers, each a process that a stack (stack.py) starts, stops and asks: one kind a file."""
