//! What asking cost, as `--stats` shows it.

use super::Ui;
use crate::cluster::ClusterStats;

/// Prints calls, bytes and time of each cluster.
pub fn print_stats(ui: Ui, stats: &[ClusterStats]) {
    let rows = stats.iter().map(|one| {
        vec![
            one.cluster.clone(),
            one.calls.to_string(),
            size(one.bytes),
            format!("{}.{:03} s", one.milliseconds / 1000, one.milliseconds % 1000),
        ]
    });
    ui.result("");
    ui.table(&["CLUSTER", "CALLS", "RECEIVED", "TIME"], rows);
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..0x10_0000 => format!("{} KiB", bytes / KIB),
        _ => format!("{}.{} MiB", bytes / (KIB * KIB), bytes % (KIB * KIB) * 10 / (KIB * KIB)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1_048_576, "1.0 MiB"),
            (78_643_200, "75.0 MiB"),
        ] {
            assert_eq!(super::size(bytes), shown);
        }
    }
}
