"""The embedded profile: real servers in one folder, started by us and gone with us."""
