//! A batch: samples as named fields, each of a kind.

/// Some samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The numbers of the samples in their part's splits.
    pub samples: Vec<u32>,
    /// What the samples consist of.
    pub fields: Vec<Field>,
}

/// One field of every sample of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the card names it.
    pub name: String,
    /// One value a sample, one after the other.
    pub values: Values,
}

/// The values of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// 8-bit pixels: `bytes` is `[n, height, width, channels]`.
    U8 {
        /// Height, width and channels.
        shape: [usize; 3],
        /// All images.
        bytes: Vec<u8>,
    },
    /// Classes: `[n]`.
    Index(Vec<u32>),
}

impl Batch {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The images: `[n, height, width, channels]`.
    ///
    /// # Panics
    /// If the samples have no image.
    pub fn image(&self) -> &[u8] {
        let bytes = self.fields.iter().find_map(|field| match &field.values {
            Values::U8 { bytes, .. } => Some(bytes.as_slice()),
            Values::Index(_) => None,
        });
        bytes.expect("the samples have an image")
    }

    /// The classes: `[n]`.
    ///
    /// # Panics
    /// If the samples have no class.
    pub fn labels(&self) -> &[u32] {
        let labels = self.fields.iter().find_map(|field| match &field.values {
            Values::Index(labels) => Some(labels.as_slice()),
            Values::U8 { .. } => None,
        });
        labels.expect("the samples have a class")
    }
}
