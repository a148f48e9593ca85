"""How a Portolan service runs: database, bus, gRPC, errors, process life. No word of trade appears here."""
