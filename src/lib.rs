//! Chat with or without a server, over links that lose, reorder and stall.

pub mod app;
pub mod cli;
pub mod gateway;
pub mod node;
pub mod store;
pub mod transport;
pub mod ui;
pub mod wire;
