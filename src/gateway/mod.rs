//! Doors for those who do not speak our wire: course protocols.

pub mod dialect;
