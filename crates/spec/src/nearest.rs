//! The nearest valid name to a wrong one.

/// The name of `known` nearest to `wrong`, if one is near enough to be a slip: by optimal string alignment distance
/// (Damerau 1964; transpositions count once), at most a third of the length, or one containing the other.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1);
    let lower = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (distance(&lower, name), name))
        .filter(|(d, name)| *d <= limit || (lower.len() >= 4 && (name.starts_with(&lower) || lower.starts_with(name))))
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

/// `a, b or c`, for messages; at most twelve, then how many more.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => String::new(),
        1 => names[0].to_string(),
        n if n <= 12 => format!("{} or {}", names[..n - 1].join(", "), names[n - 1]),
        n => format!("{} or one of {} more", names[..11].join(", "), n - 11),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["filters", "kernel_size", "stride", "padding"];
        for (wrong, expected) in [
            ("filter", Some("filters")),
            ("fliters", Some("filters")),
            ("kernel", Some("kernel_size")),
            ("Padding", Some("padding")),
            ("dropout", None),
            ("x", None),
        ] {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
    }
}
