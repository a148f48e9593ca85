"""Two weeks of life at the window, invented by seed and lived through the services' own actions and handlers."""
