//! Files that build on files: `extends`, `override` and `vars`, put together before an experiment is checked.
//!
//! Everything happens in normal form. A file is laid over those that it extends, the later over the earlier; then its own
//! `override` is applied; what is put together may be extended in turn. Names are not inherited: `name` and `description`
//! say what one file is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use spec::{Bindings, Entry, Fault, Faults, Map, Node, Override, Sources, Value, is_name, nearest};

use super::TYPE;

/// Most files that one experiment is put together from.
const MOST_FILES: usize = 64;

/// What every file says of itself alone.
const OWN_KEYS: [&str; 2] = ["name", "description"];

/// The tree of a file with everything that it extends, in normal form.
pub(super) fn assemble(root: &Node, file: &Path, sources: &mut Sources, faults: &mut Faults) -> Node {
    let known = |path: &Path| path.canonicalize().ok();
    let homes = [known(Path::new(".")), file.parent().and_then(|folder| known(&folder.join(".")))];
    let homes = homes.into_iter().flatten().collect();
    let open = known(file).into_iter().collect();
    Assembler { sources, faults, homes, open, left: MOST_FILES }.whole(root, file)
}

struct Assembler<'a> {
    sources: &'a mut Sources,
    faults: &'a mut Faults,
    /// Folders that no file may lie outside of: the project's and that of the first file.
    homes: Vec<PathBuf>,
    /// Files that are being read, each extended by the one before.
    open: Vec<PathBuf>,
    left: usize,
}

impl Assembler<'_> {
    fn whole(&mut self, root: &Node, file: &Path) -> Node {
        let mut root = spec::normalize(root, &TYPE);
        let parents = take(&mut root, "extends").map(|entry| entry.node);
        let changes = take(&mut root, "override").map(|entry| entry.node);
        let mut base: Option<Node> = None;
        for parent in self.items(parents.as_ref()) {
            let Some(tree) = self.parent(&parent, file) else { continue };
            base = Some(match base {
                Some(base) => spec::merge(base, tree),
                None => tree,
            });
        }
        let mut whole = match base {
            Some(base) => spec::merge(base, root),
            None => root,
        };
        for change in self.changes(changes.as_ref()) {
            spec::apply_override(&mut whole, &change, self.faults);
        }
        spec::normalize(&whole, &TYPE)
    }

    /// The names of the files that are extended.
    fn items(&mut self, parents: Option<&Node>) -> Vec<Node> {
        let Some(parents) = parents.filter(|node| !node.is_word("none")) else { return Vec::new() };
        let items = parents.list().map_or_else(|| vec![parents.clone()], <[Node]>::to_vec);
        let (texts, odd): (Vec<Node>, Vec<Node>) = items.into_iter().partition(|item| item.text().is_some());
        for item in odd {
            let message = format!("expected the name of a file, found {}", item.describe());
            self.faults.push(Fault::new(item.place, message).help("write for example `extends: cifar_cnn.yaml`"));
        }
        texts
    }

    fn parent(&mut self, name: &Node, file: &Path) -> Option<Node> {
        let text = name.text()?;
        let path = file.parent().unwrap_or(Path::new("")).join(text);
        match self.opened(text, &path) {
            Ok((canonical, bytes)) => {
                let root = spec::parse(&path.display().to_string(), &bytes, self.sources, self.faults)?;
                self.open.push(canonical);
                let mut whole = self.whole(&root, &path);
                self.open.pop();
                for key in OWN_KEYS {
                    take(&mut whole, key);
                }
                Some(whole)
            }
            Err((message, help)) => {
                self.faults.push(Fault::new(name.place, message).help(help));
                None
            }
        }
    }

    /// The file, or what is wrong with it and what to do.
    fn opened(&mut self, text: &str, path: &Path) -> Result<(PathBuf, Vec<u8>), (String, String)> {
        if self.left == 0 {
            let help = "extend fewer files, or join some of them".to_string();
            return Err((format!("more than {MOST_FILES} files are extended"), help));
        }
        self.left -= 1;
        let Ok(canonical) = path.canonicalize() else {
            return Err((format!("there is no file `{}`", path.display()), near_file(path)));
        };
        if !self.homes.iter().any(|home| canonical.starts_with(home)) || Path::new(text).is_absolute() {
            let help = "name a file of this project, relative to this file".to_string();
            return Err((format!("`{text}` lies outside the project"), help));
        }
        if self.open.contains(&canonical) {
            let help = "take this name out".to_string();
            return Err((format!("`{text}` extends this file in turn: a circle"), help));
        }
        match read(&canonical) {
            Ok(bytes) => Ok((canonical, bytes)),
            Err(e) => Err((format!("`{}` cannot be read: {e}", path.display()), "name a file that can be read".into())),
        }
    }

    fn changes(&mut self, node: Option<&Node>) -> Vec<Override> {
        let Some(node) = node.filter(|node| !node.is_word("none")) else { return Vec::new() };
        let Some(map) = node.map() else {
            let message = format!("expected a mapping from paths to values, found {}", node.describe());
            self.faults.push(Fault::new(node.place, message).help("for example `override: {train.epochs: 3}`"));
            return Vec::new();
        };
        map.entries.iter().filter_map(|entry| change(entry, self.faults)).collect()
    }
}

/// The bytes of a file, of one that is too large so many that this is told.
pub(super) fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(spec::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `key.path: value` as an override.
fn change(entry: &Entry, faults: &mut Faults) -> Option<Override> {
    let path = spec::path(&entry.key, entry.key_place, faults)?;
    Some(Override { path, value: entry.node.clone(), place: entry.key_place })
}

fn near_file(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the name is relative to the file that extends it".to_string(),
    }
}

/// Takes a key out of a mapping.
pub(super) fn take(root: &mut Node, key: &str) -> Option<Entry> {
    let map = root.map_mut()?;
    let at = map.entries.iter().position(|entry| entry.key == key)?;
    Some(map.entries.remove(at))
}

/// Checks the names under `vars` against each other, the network's blocks, and what reads them; `also` may read them, too.
pub(super) fn check_variables(root: &Node, also: &[&Node], faults: &mut Faults) {
    let Some(variables) = root.find("vars").filter(|node| !node.is_word("none")) else { return };
    let Some(map) = variables.map() else {
        let message = format!("expected a mapping from names to values, found {}", variables.describe());
        faults.push(Fault::new(variables.place, message).help("for example `vars: {width: 32}`"));
        return;
    };
    let mut read = Vec::new();
    let entries = root.map().map(|map| map.entries.as_slice()).unwrap_or_default();
    entries.iter().filter(|entry| entry.key != "vars").for_each(|entry| names_in(&entry.node, &mut read));
    also.iter().for_each(|node| names_in(node, &mut read));
    for entry in &map.entries {
        if let Some(fault) = wrong_name(entry, root, &read) {
            faults.push(fault);
        }
        spec::substitute(&entry.node, &Bindings::closed(), faults);
    }
}

fn wrong_name(entry: &Entry, root: &Node, read: &[String]) -> Option<Fault> {
    let Entry { key, key_place, .. } = entry;
    if key == "classes" {
        let fault = Fault::new(*key_place, "`$classes` is the dataset's number of classes and cannot be set");
        return Some(fault.help("choose another name"));
    }
    if !is_name(key) {
        let fault = Fault::new(*key_place, format!("`{key}` cannot be the name of a variable"));
        return Some(fault.help("names are a-z, 0-9 and _, beginning with a letter"));
    }
    let blocks = root.find("model").and_then(|model| model.find("blocks")).and_then(Node::map);
    for block in blocks.map(|map| map.entries.as_slice()).unwrap_or_default() {
        let parameters = block.node.find("parameters").and_then(Node::map);
        if let Some(parameter) = parameters.and_then(|map| map.entry(key)) {
            let fault = Fault::new(*key_place, format!("`{key}` is also a parameter of the block `{}`", block.key));
            return Some(fault.related(parameter.key_place, "the parameter").help("give one of the two another name"));
        }
    }
    if read.contains(key) {
        return None;
    }
    let fault = Fault::new(*key_place, format!("nothing reads the variable `{key}`"));
    Some(fault.help(format!("write `${key}` where its value belongs, or take it out")))
}

/// The names of all variables in a tree.
fn names_in(node: &Node, names: &mut Vec<String>) {
    names.extend(spec::variable(node).map(str::to_string));
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| names_in(item, names)),
        Value::Map(map) => map.entries.iter().for_each(|entry| names_in(&entry.node, names)),
        Value::Empty | Value::Scalar(_) | Value::Bad => {}
    }
}

/// `seeds` or `sweep` with the variables put in; what is varied keeps its own until a run is made of it.
pub(super) fn with_variables(root: &Node, mut node: Node, faults: &mut Faults) -> Node {
    let variables = root.find("vars").and_then(Node::map).map(|map| map.entries.as_slice()).unwrap_or_default();
    let bind = |bindings: Bindings, entry: &Entry| bindings.with(&entry.key, entry.node.clone());
    let bindings = variables.iter().fold(Bindings::closed(), bind);
    match node.map_mut() {
        Some(map) => {
            for entry in map.entries.iter_mut().filter(|entry| entry.key != "vary") {
                entry.node = spec::substitute(&entry.node, &bindings, faults);
            }
            node
        }
        None => spec::substitute(&node, &bindings, faults),
    }
}

/// The tree with every variable of `vars` put in and `vars` taken out, and what the variables stood for. Only the network
/// knows other variables: `$classes`, and the parameters of its blocks.
pub(super) fn without_variables(mut root: Node, faults: &mut Faults) -> (Node, BTreeMap<String, String>) {
    let taken = take(&mut root, "vars").map(|entry| entry.node);
    let variables = taken.as_ref().and_then(Node::map).cloned().unwrap_or_else(Map::default);
    let bind = |bindings: Bindings, entry: &Entry| bindings.with(&entry.key, entry.node.clone());
    let closed = variables.entries.iter().fold(Bindings::closed(), bind);
    let open = variables.entries.iter().fold(Bindings::open(), bind);
    if let Some(map) = root.map_mut() {
        for entry in &mut map.entries {
            let bindings = if entry.key == "model" { &open } else { &closed };
            entry.node = spec::substitute(&entry.node, bindings, faults);
        }
    }
    let texts = variables.entries.iter().map(|entry| (entry.key.clone(), spec::to_flow(&entry.node))).collect();
    (root, texts)
}
