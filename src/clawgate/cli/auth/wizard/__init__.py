"""Setting up a provider by questions: asked, checked, tried, shown, written. What is asked is the provider's own."""
