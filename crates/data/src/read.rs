//! From a card to what is stored: the first layout that is there is read; what is nowhere is downloaded.

use std::path::{Path, PathBuf};

use crate::card::{Card, Layout};
use crate::download::download;
use crate::error::{Error, one_line};
use crate::formats::Reading;
use crate::places::{Places, Progress};
use crate::stored::{Published, Stored};

/// Reads a dataset and checks every byte of it.
pub fn read(card: &Card, places: &Places, progress: &mut dyn FnMut(Progress)) -> Result<Stored, Error> {
    if let Some((layout, folder)) = find(card, places) {
        return read_layout(card, layout, &folder, progress);
    }
    let on_disk = card.layouts.iter().find(|l| l.folder.is_some());
    match on_disk.filter(|_| places.download && !card.sources.is_empty()) {
        Some(layout) => {
            let folder = download(card, places, progress)?;
            read_layout(card, layout, &folder, progress)
        }
        None => Err(not_here(card, places)),
    }
}

/// The layout that would be read, and its folder, without reading it.
pub fn find<'a>(card: &'a Card, places: &Places) -> Option<(&'a Layout, PathBuf)> {
    let here = card.in_place.then(|| Path::new(""));
    for dir in here.into_iter().chain(places.data_dirs.iter().map(PathBuf::as_path)) {
        for layout in &card.layouts {
            let Some(folder) = &layout.folder else { continue };
            let folder = dir.join(folder.as_path());
            if folder.is_dir() {
                return Some((layout, folder));
            }
        }
    }
    card.layouts.iter().find(|l| l.format.built_in).map(|layout| (layout, PathBuf::new()))
}

fn read_layout(
    card: &Card,
    layout: &Layout,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Stored, Error> {
    let classes = card.classes().unwrap_or_default().to_vec();
    if classes.is_empty() {
        std::fs::read_dir(folder).map_err(|e| Error::refused("read", folder, e))?;
        let folder = folder.display();
        return Err(Error::plain(format!(
            "{folder} has no folder for any class; put the images of each class into one"
        )));
    }
    let parameters = &layout.parameters;
    let mut reading = Reading { card, parameters, folder, classes: &classes, progress };
    let contents = (layout.format.read)(&mut reading)
        .map_err(|problems| Error::broken(&card.name, problems, !card.sources.is_empty()))?;
    // The publisher's bytes are known, and these come in another form.
    let another = card.layouts.iter().any(Layout::has_checksums) && !layout.has_checksums();
    let published = if another { Published::Differs } else { contents.published };
    let (name, layout) = (card.name.clone(), layout.format.kind.name);
    let (folder, fingerprint, splits) = (folder.to_path_buf(), contents.fingerprint, contents.splits);
    Ok(Stored { name, layout, folder, published, fingerprint, classes, splits })
}

impl Layout {
    /// Whether the card knows what the publisher's files of this layout are.
    fn has_checksums(&self) -> bool {
        let any = |key| self.parameters.find(key).and_then(spec::Node::map).is_some_and(|m| !m.entries.is_empty());
        any("sha256") || any("md5")
    }
}

fn not_here(card: &Card, places: &Places) -> Error {
    let folders: Vec<&str> = card.layouts.iter().filter_map(|l| l.folder.as_ref()).map(|f| f.0.as_str()).collect();
    let dirs: Vec<String> = places.data_dirs.iter().map(|d| one_line(&d.display().to_string())).collect();
    let dirs: Vec<&str> = dirs.iter().map(String::as_str).collect();
    let (folders, dirs) = (spec::one_of(folders), spec::one_of(dirs));
    let message = format!(
        "{} is not here: no folder {folders} in {dirs}; name the folder that it lies in with --data-dir",
        card.name
    );
    Error::plain(message).absent()
}
