//! Load generators and comparisons
