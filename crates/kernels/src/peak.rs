//! The processor's own rate of fused multiply-adds: the ceiling that kernels are measured against.
//!
//! Nothing is read from memory: accumulators in registers, as many as hide the latency of the unit, each multiplied and
//! added to over and over. Whoever calls takes the time.

use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Accumulators: two units with a latency of four to five cycles are full from ten on, and sixteen registers hold
/// twelve with the two operands.
const CHAINS: usize = 12;

/// Multiplies and adds `rounds` times in every accumulator. Gives the sum of all, so that the work is needed; it is near
/// one for each lane of each accumulator.
pub fn multiply_adds(isa: Isa, rounds: u64) -> f32 {
    isa.run(Rounds(rounds))
}

/// Floating-point operations of `rounds` rounds; a multiply-add is two.
pub fn operations(isa: Isa, rounds: u64) -> u64 {
    2 * CHAINS as u64 * isa.lanes() as u64 * rounds
}

struct Rounds(u64);

impl Kernel for Rounds {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        let (factor, addend) = (L::splat(0.75), L::splat(0.25));
        let mut chains: [L; CHAINS] = std::array::from_fn(|index| L::splat(1.0 + index as f32 / 16.0));
        for _ in 0..self.0 {
            for chain in &mut chains {
                *chain = chain.mul_add(factor, addend);
            }
        }
        chains.into_iter().map(L::sum).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_multiplies_and_adds_in_every_lane() {
        for isa in Isa::available() {
            let numbers = (operations(isa, 1) / 2) as f32;
            // x ← 0.75 x + 0.25 from 1 + i/16: the distance to one shrinks by 0.75 a round.
            let distance = (0..CHAINS).map(|i| i as f32 / 16.0).sum::<f32>() * isa.lanes() as f32;
            for (rounds, left) in [(0, 1.0), (1, 0.75), (2, 0.5625), (200, 0.0)] {
                let sum = multiply_adds(isa, rounds);
                assert!((sum - numbers - distance * left).abs() < 1e-3, "{isa:?}, {rounds} rounds: {sum}");
            }
        }
    }
}
