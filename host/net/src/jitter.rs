use std::time::Duration;

/// As long as `time` or up to a quarter longer, by chance: many clients that were told to wait
/// together do not come back together, and nobody measures what lies behind an answer.
pub fn jittered(time: Duration) -> Duration {
    time.saturating_add(time.mul_f64(rand::random_range(0.0..0.25)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::jittered;

    #[test]
    fn never_shorter_and_at_most_a_quarter_longer() {
        let second = Duration::from_secs(1);
        for _ in 0..1000 {
            let time = jittered(second);
            assert!(time >= second && time <= second + second / 4, "{time:?}");
        }
        assert_eq!(jittered(Duration::ZERO), Duration::ZERO);
    }
}
