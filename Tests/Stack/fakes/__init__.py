"""What tests use in place of real clients and servers, one of each kind."""
