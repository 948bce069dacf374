"""The test suite: real servers, fakes only where a port has one."""
