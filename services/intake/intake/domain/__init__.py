"""What intake knows of the trade: values and rules, no SQL, no protobuf, no clock."""
