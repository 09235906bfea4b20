"""The tools that come with clawgate: what they do for an agent, and the process in which they read what is foreign."""
