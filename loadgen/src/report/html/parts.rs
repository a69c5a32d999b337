//! The parts that pages are made of.

/// A verdict, as a coloured label and a sentence.
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// A key figure.
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) detail: String,
}

/// A chart with its heading.
pub(super) struct Figure {
    pub(super) title: &'static str,
    pub(super) caption: String,
    pub(super) svg: String,
}

/// A row of a table.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) cells: Vec<String>,
}

/// A table with its heading.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) caption: String,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// The parts of the page that depend on the command.
pub(super) struct Content {
    pub(super) command: &'static str,
    pub(super) badges: Vec<Badge>,
    pub(super) tiles: Vec<Tile>,
    pub(super) figures: Vec<Figure>,
    pub(super) tables: Vec<Table>,
}
