//! Counter-based randomness: a value is a pure function of (seed, purpose, epoch, sample, counter). No state is carried
//! from draw to draw, so threads, prefetching and resuming change nothing.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Four random words for a counter under a key.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
        }
        let [low, high] = [0, 2].map(|i| u64::from(counter[i]) * u64::from(MULTIPLIERS[i / 2]));
        counter = [
            (high >> 32) as u32 ^ counter[1] ^ key[0],
            high as u32,
            (low >> 32) as u32 ^ counter[3] ^ key[1],
            low as u32,
        ];
    }
    counter
}

/// A stable number for what randomness is used for: FNV-1a, 64 bits, of its name or path.
pub const fn purpose(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}

/// The random blocks of one (seed, purpose, epoch, sample).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    /// The upper half of the counter.
    place: [u32; 2],
}

impl Stream {
    /// Streams that differ in any of the four are independent.
    pub fn new(seed: u64, purpose: u64, epoch: u64, sample: u64) -> Stream {
        let halves = |x: u64| [x as u32, (x >> 32) as u32];
        let ([s0, s1], [p0, p1]) = (halves(seed), halves(purpose));
        // Seed and purpose are mixed into the key by the cipher itself; so are the upper halves of epoch and sample, which
        // are zero in practice.
        let mixed = philox([s0, s1, p0, p1], [(epoch >> 32) as u32, (sample >> 32) as u32]);
        Stream { key: [mixed[0], mixed[1]], place: [mixed[2] ^ epoch as u32, mixed[3] ^ sample as u32] }
    }

    /// Block `counter`: four words.
    pub fn block(&self, counter: u64) -> [u32; 4] {
        philox([counter as u32, (counter >> 32) as u32, self.place[0], self.place[1]], self.key)
    }

    /// Word by word `W` blocks from `first` on, so that the cipher runs across lanes.
    #[inline(always)]
    pub(crate) fn blocks<const W: usize>(&self, first: u64) -> [[u64; W]; 4] {
        const LOW: u64 = u32::MAX as u64;
        let [place, key] = [self.place, self.key].map(|words| words.map(u64::from));
        let mut a: [u64; W] = std::array::from_fn(|i| (first + i as u64) & LOW);
        let mut b: [u64; W] = std::array::from_fn(|i| (first + i as u64) >> 32);
        let (mut c, mut d) = ([place[0]; W], [place[1]; W]);
        for round in 0..ROUNDS as u64 {
            let [key_b, key_d] = [0, 1].map(|i| (key[i] + round * u64::from(KEY_STEPS[i])) & LOW);
            for i in 0..W {
                // Products of 32-bit numbers, each word alone in 64 bits.
                let (ab, cd) = (a[i] * u64::from(MULTIPLIERS[0]), c[i] * u64::from(MULTIPLIERS[1]));
                (a[i], b[i]) = ((cd >> 32) ^ b[i] ^ key_b, cd & LOW);
                (c[i], d[i]) = ((ab >> 32) ^ d[i] ^ key_d, ab & LOW);
            }
        }
        [a, b, c, d]
    }

    /// Draws one after the other, from block 0.
    pub fn draws(self) -> Draws {
        Draws { stream: self, block: [0; 4], taken: 0 }
    }
}

/// Draws from a stream in order.
#[derive(Clone, Debug)]
pub struct Draws {
    stream: Stream,
    block: [u32; 4],
    taken: u64,
}

impl Draws {
    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let within = (self.taken % 4) as usize;
        if within == 0 {
            self.block = self.stream.block(self.taken / 4);
        }
        self.taken += 1;
        self.block[within]
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in `0..n`, without bias (Lemire 2019).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "nothing is below 0");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Normal with mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Every order equally likely (Fisher and Yates 1938, in Durstenfeld's form of 1964).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The number that a random word must reach for an element to stay, for a dropout of `rate`.
pub fn dropout_threshold(rate: f32) -> u64 {
    (f64::from(rate) * 4_294_967_296.0).round() as u64
}

/// Whether dropout keeps element `index` of a sample: word `index % 4` of block `index / 4` reaches the threshold.
pub fn keeps(stream: &Stream, index: usize, rate: f32) -> bool {
    u64::from(stream.block(index as u64 / 4)[index % 4]) >= dropout_threshold(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors publish with Random123 (kat_vectors, philox4x32-10).
    #[test]
    fn philox_gives_the_published_answers() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let answers = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (counter, key, expected) in answers {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn streams_differ_in_each_part_of_their_name() {
        let base = Stream::new(1, 2, 3, 4);
        let others =
            [Stream::new(2, 2, 3, 4), Stream::new(1, 3, 3, 4), Stream::new(1, 2, 4, 4), Stream::new(1, 2, 3, 5)];
        assert!(others.iter().all(|s| s.block(0) != base.block(0)));
    }

    #[test]
    fn draws_have_their_moments() {
        let mut draws = Stream::new(7, purpose("test"), 0, 0).draws();
        let n = 100_000;
        let normals: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
        let mean = normals.iter().sum::<f64>() / n as f64;
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        // Five standard errors: 5 / sqrt(n) and 5 * sqrt(2 / n).
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023, "mean {mean}, variance {variance}");
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[draws.below(7) as usize] += 1);
        assert!(counts.iter().all(|c: &i32| (c - 10_000).abs() < 500), "{counts:?}");
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut items: Vec<u32> = (0..1000).collect();
        Stream::new(1, purpose("order"), 0, 0).draws().shuffle(&mut items);
        let mut sorted = items.clone();
        sorted.sort_unstable();
        assert!(items != sorted && sorted.iter().copied().eq(0..1000));
    }

    #[test]
    fn dropout_keeps_its_share() {
        let stream = Stream::new(3, purpose("dropout"), 1, 9);
        let kept = (0..100_000).filter(|&i| keeps(&stream, i, 0.3)).count();
        assert!((kept as f64 / 100_000.0 - 0.7).abs() < 0.008, "{kept}");
        assert!((0..100).all(|i| keeps(&stream, i, 0.0)));
    }
}
