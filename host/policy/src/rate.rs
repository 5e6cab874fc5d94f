use std::time::Instant;

use parking_lot::Mutex;

/// Log lines against the clock: a token bucket that counts what it refuses.
#[derive(Debug)]
pub struct Rate {
    /// Lines in a second.
    rate: f64,
    /// Lines that may come at once after a quiet time.
    burst: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    refused: u64,
}

impl Rate {
    /// `rate` lines in a second, and `burst` at once after a quiet time.
    pub fn new(rate: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        let bucket = Bucket { tokens: burst, filled: Instant::now(), refused: 0 };
        Self { rate: rate.into(), burst, bucket: Mutex::new(bucket) }
    }

    /// Takes leave for one line. With it comes how many were refused since the last one.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut bucket = self.bucket.lock();
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = since.mul_add(self.rate, bucket.tokens).min(self.burst);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            bucket.refused = bucket.refused.saturating_add(1);
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.refused))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Rate;

    #[test]
    fn a_flood_is_slowed_down() {
        let rate = Rate::new(50, 200);
        let start = Instant::now();
        let passed = |now| (0..1000).filter(|_| rate.pass(now).is_some()).count();
        assert_eq!(passed(start), 200);
        let later = start + Duration::from_secs(1);
        assert_eq!(rate.pass(later), Some(800));
        assert_eq!(rate.pass(later), Some(0));
        assert!((45..=50).contains(&passed(later)));
        assert_eq!(passed(later + Duration::from_secs(3600)), 200);
    }
}
