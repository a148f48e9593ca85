"""Who is who, who works for whom, and who may act for whom: values and rules."""
