"""Writers: arrays in, one file format each out; written beside and renamed."""
