//! Asynchronous successive halving in its stopping form (Li et al. 2020, "A System for Massively Parallel Hyperparameter
//! Tuning"): at rungs of `min_epochs · reductionᵏ` epochs a trial goes on only if it is among the best `1 / reduction` of
//! those that came there.
//!
//! A trial is compared with the trials numbered before it and no others, so that what is ended does not depend on which
//! process was faster, or on a sweep having been interrupted.

spec::section! {
    /// Ends a trial at one of its rungs unless it is among the best there (successive halving, Li et al. 2020).
    pub struct Asha {
        /// Epochs that every trial has.
        pub min_epochs: usize = 1, min 1.0, unit "epochs", synonyms &["grace_period", "min_resource"];
        /// Of so many trials at a rung one goes on; the next rung is so many times as far.
        pub reduction: usize = 3, min 2.0, synonyms &["eta", "reduction_factor"];
    }
}

impl Asha {
    /// The rungs below the full length of training, in epochs.
    pub fn rungs(&self, epochs: usize) -> Vec<usize> {
        let next = |rung: &usize| rung.checked_mul(self.reduction);
        std::iter::successors(Some(self.min_epochs), next).take_while(|rung| *rung < epochs).collect()
    }

    /// Whether the last of these scores (larger is better) of the trials at one rung, in their order, may go on. A score
    /// that is no number never does.
    pub fn goes_on(&self, scores: &[f64]) -> bool {
        let Some((own, others)) = scores.split_last() else { return true };
        let ahead = others.iter().filter(|other| **other >= *own).count();
        !own.is_nan() && ahead < (scores.len() / self.reduction).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_grow_by_the_reduction_and_stay_below_the_end() {
        assert_eq!(Asha { min_epochs: 1, reduction: 3 }.rungs(10), [1, 3, 9]);
        assert_eq!(Asha { min_epochs: 2, reduction: 2 }.rungs(8), [2, 4]);
        assert!(Asha { min_epochs: 5, reduction: 3 }.rungs(5).is_empty());
    }

    #[test]
    fn one_of_three_goes_on() {
        let asha = Asha { min_epochs: 1, reduction: 3 };
        assert!(asha.goes_on(&[0.1]));
        assert!(!asha.goes_on(&[0.5, 0.4]));
        assert!(asha.goes_on(&[0.5, 0.6]));
        assert!(asha.goes_on(&[0.5, 0.6, 0.1, 0.2, 0.3, 0.55]), "second of six");
        assert!(!asha.goes_on(&[0.5, 0.6, 0.1, 0.2, 0.3, 0.45]), "third of six");
        assert!(!asha.goes_on(&[0.5, f64::NAN]));
    }
}
