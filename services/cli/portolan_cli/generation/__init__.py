"""Documents as a busy window meets them, drawn from a pack's demo/mix.yaml: the same seed, the same documents."""

from portolan_cli.generation.companies import Company, companies
from portolan_cli.generation.documents import Generated, Generator
from portolan_cli.generation.mix import Mix, MixError, load
from portolan_cli.generation.script import Script

__all__ = ["Company", "Generated", "Generator", "Mix", "MixError", "Script", "companies", "load"]
