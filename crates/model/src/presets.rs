//! Networks that are known by name, written in the language itself.

/// Name, what it is, and the model.
pub(crate) struct Preset {
    pub name: &'static str,
    pub yaml: &'static str,
}

/// The table of presets.
pub(crate) static PRESETS: [Preset; 5] = [
    Preset { name: "lenet5", yaml: include_str!("presets/lenet5.yaml") },
    Preset { name: "resnet20", yaml: include_str!("presets/resnet20.yaml") },
    Preset { name: "resnet32", yaml: include_str!("presets/resnet32.yaml") },
    Preset { name: "resnet44", yaml: include_str!("presets/resnet44.yaml") },
    Preset { name: "resnet56", yaml: include_str!("presets/resnet56.yaml") },
];

/// The preset of this name.
pub(crate) fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The names of all presets, and what each is.
pub fn presets() -> Vec<(&'static str, String)> {
    let doc = |preset: &Preset| {
        let lines = preset.yaml.lines().map_while(|line| line.strip_prefix("# "));
        (preset.name, lines.collect::<Vec<_>>().join(" "))
    };
    PRESETS.iter().map(doc).collect()
}
