//! Values that only cards hold: shapes of images, relative paths, checksums, mappings of names.

use std::path::{Component, Path};

use spec::{Fault, Faults, Form, Map, Node, Own, Range, Type, Value, Word};

/// Height, width and channels of a card's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// `None` where the card says `any`: it differs from image to image.
    pub height: Option<usize>,
    /// `None` where the card says `any`: it differs from image to image.
    pub width: Option<usize>,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
}

impl ImageShape {
    /// The shape, where it is the same for every image.
    pub fn fixed(&self) -> Option<[usize; 3]> {
        Some([self.height?, self.width?, self.channels])
    }
}

impl Word for ImageShape {
    const TYPE: Type = Type::Own(&Own {
        expects: "[height, width, channels], a size that differs is `any`",
        forms: &[Form::Type(Type::List { of: &Type::Text, lone: false })],
        resolve: image_shape,
    });

    fn read(node: &Node) -> ImageShape {
        let items = node.list().expect("resolved to a list of three");
        let side = |n: &Node| (!n.is_word("any")).then(|| usize::read(n));
        ImageShape { height: side(&items[0]), width: side(&items[1]), channels: usize::read(&items[2]) }
    }
}

fn image_shape(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let side = Type::Integer(Range { low: 1.0, high: 16384.0, ..Range::ANY });
    let channels = Type::Integer(Range { low: 1.0, high: 3.0, ..Range::ANY });
    let Some([height, width, depth]) = node.list() else { return refuse(node, ImageShape::TYPE, fill, faults) };
    let mut resolve = |n: &Node, ty: &Type| if n.is_word("any") { n.clone() } else { one(n, ty, fill, faults) };
    let mut items = vec![resolve(height, &side), resolve(width, &side), resolve(depth, &channels)];
    if fill && (depth.is_word("any") || depth.is_word("2")) {
        let fault =
            Fault::new(depth.place, format!("images have 1 channel (grey) or 3 (RGB), found {}", depth.describe()));
        faults.push(fault);
        items[2] = Node::bad(depth.place);
    }
    Node { value: Value::List(items), place: node.place }
}

/// A path below a data folder, with `/` between its parts: no `..`, not from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelativePath(pub String);

impl RelativePath {
    /// As a path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Word for RelativePath {
    const TYPE: Type = Type::Own(&Own {
        expects: "a path below a data folder",
        forms: &[Form::Type(Type::Text)],
        resolve: relative_path,
    });

    fn read(node: &Node) -> RelativePath {
        RelativePath(String::read(node))
    }
}

fn relative_path(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let Some(text) = node.text().filter(|t| !t.is_empty()) else {
        return refuse(node, RelativePath::TYPE, fill, faults);
    };
    if fill && !is_inside(Path::new(text)) {
        let fault = Fault::new(node.place, format!("{} leads out of the data folder", node.describe()));
        faults.push(fault.help("write it relative to the data folder, which --data-dir names"));
        return Node::bad(node.place);
    }
    node.clone()
}

/// Whether a relative path stays below the folder that it is taken in.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// A checksum of `N` hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub String);

impl<const N: usize> Word for Hex<N> {
    const TYPE: Type = Type::Own(&Own {
        expects: "a checksum in hexadecimal digits",
        forms: &[Form::Type(Type::Text)],
        resolve: hex::<N>,
    });

    fn read(node: &Node) -> Hex<N> {
        Hex(String::read(node))
    }
}

fn hex<const N: usize>(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if node.text().is_some_and(|t| t.len() == N && t.chars().all(digit)) {
        return node.clone();
    }
    if fill {
        let message = format!("expected a checksum of {N} digits 0-9 and a-f, found {}", node.describe());
        faults.push(Fault::new(node.place, message));
        return Node::bad(node.place);
    }
    node.clone()
}

/// A mapping whose keys are names of the user's: of splits, of files.
#[derive(Clone, Debug)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// The value of a name.
    pub fn find(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

impl<T: Word> Word for Named<T> {
    const TYPE: Type =
        Type::Own(&Own { expects: "a mapping of names", forms: &[Form::Named(T::TYPE)], resolve: named::<T> });

    fn read(node: &Node) -> Named<T> {
        let entries = &node.map().expect("resolved to a mapping").entries;
        Named(entries.iter().map(|e| (e.key.clone(), T::read(&e.node))).collect())
    }
}

fn named<T: Word>(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let Some(map) = node.map() else { return refuse(node, Named::<T>::TYPE, fill, faults) };
    let mut out = Map::default();
    for entry in &map.entries {
        out.set(&entry.key, entry.key_place, one(&entry.node, &T::TYPE, fill, faults));
    }
    Node { value: Value::Map(out), place: node.place }
}

fn one(node: &Node, ty: &Type, fill: bool, faults: &mut Faults) -> Node {
    if fill { spec::resolve(node, ty, faults) } else { spec::normalize(node, ty) }
}

fn refuse(node: &Node, ty: Type, fill: bool, faults: &mut Faults) -> Node {
    if !fill {
        return node.clone();
    }
    faults.push(Fault::new(node.place, format!("expected {}, found {}", ty.expects(), node.describe())));
    Node::bad(node.place)
}
