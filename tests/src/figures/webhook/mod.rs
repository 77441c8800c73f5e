//! The webhook's figures beside the bars of the design, beside its own server without rules, and beside a webhook of
//! controller-runtime with the same rules; all in one run, since a machine is never twice the same.

mod peer;
mod servers;

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::load::{Server, Shape, cpu_of, resident_of, review};
use servers::{Running, Servers};

/// Connections of the API server that are in use at once.
const CONNECTIONS: usize = 25;
const ROUNDS: usize = 3;
/// A size of review, how many are sent in a round, and the bar of the webhook's CPU time for one.
struct Size {
    bytes: usize,
    reviews: usize,
    bar: Duration,
}

const SIZES: [Size; 2] = [
    Size {
        bytes: 5 << 10,
        reviews: 10_000,
        bar: Duration::from_micros(25),
    },
    Size {
        bytes: 50 << 10,
        reviews: 3_000,
        bar: Duration::from_micros(80),
    },
];
/// At most this part of what controller-runtime takes for the same reviews.
const PART_OF_PEER: f64 = 0.2;
const MEMORY_MIB: f64 = 32.0;
const READY: Duration = Duration::from_millis(200);

/// What is asked, and of whom.
#[derive(Clone, Copy)]
struct Case {
    what: &'static str,
    frozen: bool,
    shape: Shape,
}

const CASES: [Case; 5] = [
    Case {
        what: "idle mesh, a VirtualService changes",
        frozen: false,
        shape: Shape::Changed,
    },
    Case {
        what: "idle mesh, istiod goes one minor on",
        frozen: false,
        shape: Shape::Istiod,
    },
    Case {
        what: "frozen, the holder changes it",
        frozen: true,
        shape: Shape::Holder,
    },
    Case {
        what: "frozen, somebody changes it: refused",
        frozen: true,
        shape: Shape::Changed,
    },
    Case {
        what: "frozen, only book-keeping changes",
        frozen: true,
        shape: Shape::Unchanged,
    },
];

/// Measures all of it and prints it; whether every bar is reached.
///
/// # Errors
/// When something cannot be built, started or asked.
pub fn print() -> Result<bool> {
    let mut servers = Servers::start()?;
    let mut reached = true;
    say("CPU time of the server for one review, over HTTPS/1.1 on 25 connections that are kept")?;
    say(&format!(
        "{:<38} {:>8} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "", "size", "webhook", "bare", "peer", "ratio", "bar"
    ))?;
    for case in CASES {
        servers.freeze(case.frozen)?;
        for size in &SIZES {
            let [ours, bare, peer] = measure(&servers, case, size)?;
            let ratio = ours.as_secs_f64() / peer.as_secs_f64();
            let good = ours <= size.bar && ratio <= PART_OF_PEER;
            reached &= good;
            say(&format!(
                "{:<38} {:>4} KiB {:>6.1} µs {:>6.1} µs {:>6.0} µs {ratio:>7.3} {:>4} µs  {}",
                case.what,
                size.bytes >> 10,
                micros(ours),
                micros(bare),
                micros(peer),
                size.bar.as_micros(),
                verdict(good)
            ))?;
        }
    }
    reached &= rest(&servers)?;
    Ok(reached)
}

fn rest(servers: &Servers) -> Result<bool> {
    let [ours, bare, peer] = servers.at_rest_kib().map(|kib| kib as f64 / 1024.0);
    let small = ours <= MEMORY_MIB;
    say(&format!(
        "memory at rest: webhook {ours:.1} MiB, bare {bare:.1}, peer {peer:.1}; bar {MEMORY_MIB}  {}",
        verdict(small)
    ))?;
    let after = resident_of(servers.webhook().process()?)? as f64 / 1024.0;
    say(&format!("memory after all of the above: webhook {after:.1} MiB"))?;
    let start = servers.start_of_webhook();
    let quick = start.ready <= READY;
    say(&format!(
        "ready {} ms after its caches, which were filled {} ms after its start; bar {} ms  {}",
        start.ready.as_millis(),
        start.caches.as_millis(),
        READY.as_millis(),
        verdict(quick)
    ))?;
    Ok(small && quick)
}

/// Median over the rounds, in which each server has its turn.
fn measure(servers: &Servers, case: Case, size: &Size) -> Result<[Duration; 3]> {
    let body = review(case.shape, size.bytes);
    let each = [servers.webhook(), servers.bare(), servers.peer(case.frozen)];
    // Connections are made, and memory is taken, before anything counts.
    for one in each {
        ask(one, &body, size.reviews / 10, case)?;
    }
    let mut rounds: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (one, took) in each.iter().zip(&mut rounds) {
            let before = cpu_of(one.process()?)?;
            let asked = ask(one, &body, size.reviews, case)?;
            took.push((cpu_of(one.process()?)? - before) / u32::try_from(asked)?);
        }
    }
    Ok(rounds.map(|mut took| {
        took.sort();
        took.get(ROUNDS / 2).copied().unwrap_or_default()
    }))
}

/// Asks so many times, on all connections at once, and returns how often exactly.
fn ask(one: &Running, body: &[u8], reviews: usize, case: Case) -> Result<usize> {
    let each = reviews / CONNECTIONS;
    let refused = case.frozen && case.shape == Shape::Changed && one.has_rules();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| scope.spawn(|| ask_on_one(one.server(), body, each, refused)))
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })
    .with_context(|| format!("{}: {}", one.name(), case.what))?;
    Ok(each * CONNECTIONS)
}

fn ask_on_one(server: &Server, body: &[u8], count: usize, refused: bool) -> Result<()> {
    let expected: &[u8] = if refused {
        b"\"allowed\":false"
    } else {
        b"\"allowed\":true"
    };
    let mut client = server.connect()?;
    for _ in 0..count {
        let (status, answer) = client.post("/validate", body)?;
        ensure!(
            status == 200 && answer.windows(expected.len()).any(|window| window == expected),
            "answered {status}: {}",
            String::from_utf8_lossy(answer)
        );
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn verdict(good: bool) -> &'static str {
    if good { "reached" } else { "MISSED" }
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("print")
}
