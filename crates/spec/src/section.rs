//! The one macro of the language: a struct whose fields are keys, with their documentation, defaults and bounds.

/// The key of a field: its name, without the mark of names that are words of Rust (`r#override`).
pub const fn key_of(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Declares a section: the struct, its table of keys, and how it is read.
///
/// ```
/// spec::section! {
///     /// Stochastic gradient descent (Robbins and Monro 1951).
///     pub struct Sgd {
///         /// Share of the old velocity that stays.
///         pub momentum: f64 = 0.0, min 0.0, below 1.0;
///         /// Look ahead along the velocity (Nesterov 1983).
///         pub nesterov: bool = false;
///         /// Largest norm of the whole gradient.
///         pub clip_norm: Option<f64> = none, above 0.0, synonyms &["max_norm"];
///     }
/// }
/// assert_eq!(Sgd::SECTION.fields.len(), 3);
/// ```
///
/// `= value` is a default (YAML), `= none` a setting that is off, `= required` one that must be there. Behind it stand
/// calls of [`crate::Field`]'s methods: `min`, `max`, `above`, `below`, `unit`, `synonyms`,
/// `example`, `kinds`, `steps`, `ty`.
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])+
                $field_vis:vis $field:ident : $ty:ty = $default:tt $(, $method:ident $argument:expr)* ;
            )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $field_doc])+ $field_vis $field: $ty, )*
        }

        impl $name {
            /// The keys of this section.
            pub const SECTION: $crate::Section = $crate::Section {
                name: stringify!($name),
                doc: concat!($($doc),+),
                fields: &[
                    $(
                        $crate::section!(@field $field, concat!($($field_doc),+), $ty, $default) $(.$method($argument))*,
                    )*
                ],
            };
        }

        impl $crate::Word for $name {
            const TYPE: $crate::Type = $crate::Type::Section(&$name::SECTION);

            fn read(node: &$crate::Node) -> Self {
                $name { $( $field: <$ty as $crate::Word>::read_key(node, $crate::key_of(stringify!($field))), )* }
            }
        }
    };
    (@field $field:ident, $doc:expr, $ty:ty, required) => {
        $crate::Field::required($crate::key_of(stringify!($field)), $doc, <$ty as $crate::Word>::TYPE)
    };
    (@field $field:ident, $doc:expr, $ty:ty, none) => {
        $crate::Field::optional($crate::key_of(stringify!($field)), $doc, <$ty as $crate::Word>::TYPE)
    };
    (@field $field:ident, $doc:expr, $ty:ty, $default:tt) => {
        $crate::Field::with_default(
            $crate::key_of(stringify!($field)),
            $doc,
            <$ty as $crate::Word>::TYPE,
            stringify!($default),
        )
        .off(<$ty as $crate::Word>::CAN_BE_OFF)
    };
}

/// Declares a closed choice of words: the enum, its words, and how it is read.
///
/// ```
/// spec::choice! {
///     /// Along which axis an image is mirrored.
///     pub enum Direction {
///         /// Left and right are exchanged.
///         Horizontal = "horizontal",
///         /// Top and bottom are exchanged.
///         Vertical = "vertical",
///     }
/// }
/// assert_eq!(Direction::Vertical.name(), "vertical");
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[doc = $word_doc])+ $variant, )+
        }

        impl $name {
            /// The word in the file.
            pub fn name(self) -> &'static str {
                match self { $( $name::$variant => $word, )+ }
            }
        }

        impl $crate::Word for $name {
            const TYPE: $crate::Type = $crate::Type::Choice(&[
                $( $crate::Choice { name: $word, doc: concat!($($word_doc),+) }, )+
            ]);

            fn read(node: &$crate::Node) -> Self {
                match node.text().expect("resolved to a word") {
                    $( $word => $name::$variant, )+
                    other => unreachable!("{other} was checked against the table"),
                }
            }
        }
    };
}
