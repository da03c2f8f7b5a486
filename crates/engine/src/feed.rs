//! What one run of a program is handed.

/// The values of a run's inputs, and what its random numbers are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// The number of samples.
    pub batch: usize,
    /// Values of the graph's inputs, by name, in row order.
    pub inputs: &'a [(&'a str, Input<'a>)],
    /// The seed of the run: with `epoch` and `samples` it decides what dropout drops.
    pub seed: u64,
    /// The epoch that the batch belongs to.
    pub epoch: u64,
    /// Which sample of the data stands at each place of the batch. Read only by programs with dropout; may be empty for
    /// others.
    pub samples: &'a [u32],
}

/// The value of an input.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Numbers.
    F32(&'a [f32]),
    /// Pixels.
    U8(&'a [u8]),
    /// Class indices.
    Index(&'a [u32]),
}

impl<'a> Feed<'a> {
    /// The value of the input `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn input(&self, name: &str) -> Input<'a> {
        let found = self.inputs.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("the feed has no input {name:?}")).1
    }
}

impl Input<'_> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Input::F32(values) => values.len(),
            Input::U8(values) => values.len(),
            Input::Index(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
