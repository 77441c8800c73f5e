//! Ports for programs under test, which are stopped and started again.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};

/// Below the ports of outgoing connections (on Linux from 32768 on), of which one may take what was left for a moment, and
/// below the test control plane's own (from 20000 on).
const FIRST: u32 = 10_000;
const COUNT: u32 = 10_000;
/// Processes of several tests begin this far from one another.
const APART: u32 = 127;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A port that was free a moment ago, and that this process gets no second time.
///
/// # Errors
/// When none is free.
pub fn free_port() -> Result<u16> {
    let begin = process::id().wrapping_mul(APART);
    let mut ports = (0..COUNT).filter_map(|_| {
        let next = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + next % COUNT).ok()
    });
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.context("no port is free")
}
