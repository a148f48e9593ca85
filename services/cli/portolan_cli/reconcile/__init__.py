"""Proves from the databases that no two services disagree, and names what is lost, doubled or waiting."""
