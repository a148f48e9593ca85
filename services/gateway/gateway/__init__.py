"""HTTP in front of Portolan: it translates, limits and refuses; it owns nothing durable."""
