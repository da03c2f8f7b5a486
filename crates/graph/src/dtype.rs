//! What one element of a value is.

/// Element types. Arithmetic is f32; the others are what comes from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float: every computed value.
    F32,
    /// Pixel value 0..=255, before normalization.
    U8,
    /// Class index.
    Index,
}
