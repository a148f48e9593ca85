"""A plain second reading of a pack, and a run in which every document must end as that reading says."""
