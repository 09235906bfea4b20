"""What is wrong with an installation, and what mends it? Facts are gathered first; the judgement over them is pure."""
