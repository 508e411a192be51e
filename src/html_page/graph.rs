//! The graph of inputs and outputs: inputs at the left, each output right of everything that it is made from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Told;
use super::facts::Facts;
use super::html::{Address, Html, id};
use super::table::Table;
use crate::lock::Lock;
use crate::realize::own_version;

const TABLE: Table =
    Table { caption: "Outputs, and what each is made from", columns: &["output", "made from"], numbers: &[] };

/// The size of a node, and the room between nodes.
const WIDTH: f64 = 196.0;
const HEIGHT: f64 = 44.0;
const BETWEEN: (f64, f64) = (64.0, 12.0);
/// The room of an edge that passes through a column.
const LANE: f64 = 10.0;
/// Letters that fit into the two lines of a node.
const NAME: usize = 24;
const ABOUT: usize = 29;

/// A node of the graph.
struct Node<'l> {
    name: &'l str,
    kind: &'static str,
    version: String,
    is_output: bool,
    /// The positions of the nodes that it is made from.
    from: Vec<usize>,
    column: usize,
    to: Address,
    /// Its left upper corner.
    place: (f64, f64),
}

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let locked = match &facts.locked {
        Ok(locked) => locked,
        Err(why) => return Told::missing(why),
    };
    let mut nodes = nodes(locked.lock);
    if nodes.is_empty() {
        return Told::missing("The lock has neither inputs nor outputs.");
    }
    let lanes = arrange(&mut nodes);
    html.element("div").class("scroll").attribute("tabindex", "0").inside(|html| draw(html, &nodes, &lanes));
    html.element("details").inside(|html| {
        html.element("summary").text("As a table");
        TABLE.write(html, |rows| {
            for node in nodes.iter().filter(|node| node.is_output) {
                rows.row(None, |cells| {
                    cells.with(|html| {
                        html.element("a").link(&node.to).text(node.name);
                        html.element("span").class("kind").text(node.kind);
                    });
                    let parts = node.from.iter().filter_map(|from| nodes.get(*from)).map(|from| from.name);
                    cells.text(parts.collect::<Vec<_>>().join(", "));
                });
            }
        });
    });
    Told::default()
}

/// Returns all nodes, without their places.
fn nodes(lock: &Lock) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node> = Vec::new();
    for (number, (name, input)) in lock.inputs.iter().enumerate() {
        nodes.push(Node {
            name,
            kind: input.kind().name(),
            version: input.short_version(),
            is_output: false,
            from: Vec::new(),
            column: 0,
            to: Address::here("pin-", number),
            place: (0.0, 0.0),
        });
    }
    let inputs: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(place, node)| (node.name, place)).collect();
    let mut outputs: BTreeMap<&str, usize> = BTreeMap::new();
    // In this order, each output comes after those that it is made from.
    for (number, (name, output)) in
        lock.ordered().into_iter().filter_map(|name| lock.outputs.get_key_value(name)).enumerate()
    {
        let of_inputs = output.recipe.inputs().into_iter().filter_map(|(_, input)| inputs.get(input).copied());
        let of_outputs = output.recipe.outputs().into_iter().filter_map(|(_, part)| outputs.get(part).copied());
        let mut from: Vec<usize> = of_inputs.chain(of_outputs).collect();
        from.sort_unstable();
        from.dedup();
        let column = 1 + from.iter().filter_map(|part| nodes.get(*part)).map(|part| part.column).max().unwrap_or(0);
        outputs.insert(name, nodes.len());
        nodes.push(Node {
            name,
            kind: output.recipe.kind(),
            version: own_version(lock, name),
            is_output: true,
            from,
            column,
            to: Address::here("evidence-", lock.inputs.len() + number),
            place: (0.0, 0.0),
        });
    }
    nodes
}

/// A thing that takes room in a column: a node, or an edge that passes through the column on its way.
#[derive(Clone, Copy)]
enum Item {
    Node(usize),
    Lane { from: usize, to: usize },
}

impl Item {
    fn height(self) -> f64 {
        match self {
            Self::Node(_) => HEIGHT,
            Self::Lane { .. } => LANE,
        }
    }
}

/// The heights at which edges pass through columns, by their ends and the column.
type Lanes = BTreeMap<(usize, usize, usize), f64>;

/// Gives each node its place: columns from left to right, and within a column near the things that it is made from.
fn arrange(nodes: &mut [Node]) -> Lanes {
    let count = nodes.iter().map(|node| node.column + 1).max().unwrap_or(0);
    let mut columns: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (place, node) in nodes.iter().enumerate() {
        columns[node.column].push(Item::Node(place));
        for from in &node.from {
            for column in &mut columns[nodes[*from].column + 1..node.column] {
                column.push(Item::Lane { from: *from, to: place });
            }
        }
    }
    // Inputs that nothing is made from come last.
    let first_use = |place: usize| nodes.iter().position(|node| node.from.contains(&place)).unwrap_or(usize::MAX);
    if let Some(inputs) = columns.first_mut() {
        inputs.sort_by_key(|item| if let Item::Node(place) = item { first_use(*place) } else { usize::MAX });
    }
    let room = |items: &[Item]| items.iter().map(|item| item.height() + BETWEEN.1).sum::<f64>();
    let tallest = columns.iter().map(|items| room(items)).fold(0.0, f64::max);
    let mut lanes = Lanes::new();
    for (column, items) in columns.iter_mut().enumerate() {
        let ends = |from: usize, to: usize| {
            let lane = column.checked_sub(1).and_then(|before| lanes.get(&(from, to, before)));
            lane.copied().unwrap_or(nodes[from].place.1 + HEIGHT / 2.0)
        };
        let middle = |item: &Item| match *item {
            Item::Lane { from, to } => ends(from, to),
            Item::Node(place) => {
                let from = &nodes[place].from;
                from.iter().map(|from| ends(*from, place)).sum::<f64>() / from.len().max(1) as f64
            }
        };
        if column > 0 {
            items.sort_by(|one, other| middle(one).total_cmp(&middle(other)));
        }
        let mut y = (tallest - room(items)) / 2.0;
        for item in items.iter() {
            match *item {
                Item::Node(place) => nodes[place].place = (column as f64 * (WIDTH + BETWEEN.0), y),
                Item::Lane { from, to } => drop(lanes.insert((from, to, column), y + LANE / 2.0)),
            }
            y += item.height() + BETWEEN.1;
        }
    }
    lanes
}

fn draw(html: &mut Html, nodes: &[Node], lanes: &Lanes) {
    let right = nodes.iter().map(|node| node.place.0 + WIDTH).fold(0.0, f64::max);
    let low = nodes.iter().map(|node| node.place.1 + HEIGHT).chain(lanes.values().copied()).fold(0.0, f64::max);
    let (width, height) = (right + 4.0, low + 4.0);
    let svg = html.element("svg").class("graph").number("width", width).number("height", height);
    let svg = svg.attribute("viewBox", format!("-2 -2 {width:.1} {height:.1}"));
    svg.attribute("role", "group").attribute("aria-label", "From inputs to outputs").inside(|html| {
        for (to, node) in nodes.iter().enumerate() {
            for from in &node.from {
                let element = html.element("path").class("edge").attribute("d", path(nodes, lanes, (*from, to)));
                element.attribute("data-from", from).attribute("data-to", to).alone();
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            box_of(html, number, node);
        }
    });
}

/// Returns the way of an edge: bends between columns, and straight on through those that it passes.
fn path(nodes: &[Node], lanes: &Lanes, (from, to): (usize, usize)) -> String {
    let (start, end) = (&nodes[from], &nodes[to]);
    let (mut x, mut y) = (start.place.0 + WIDTH, start.place.1 + HEIGHT / 2.0);
    let mut way = format!("M{x:.1} {y:.1}");
    let bend = BETWEEN.0 / 2.0;
    for column in start.column + 1..=end.column {
        let next = lanes.get(&(from, to, column)).copied().unwrap_or(end.place.1 + HEIGHT / 2.0);
        // Writing to a String cannot fail.
        let _ = write!(way, "C{0:.1} {y:.1} {0:.1} {next:.1} {1:.1} {next:.1}", x + bend, x + BETWEEN.0);
        (x, y) = (x + BETWEEN.0 + WIDTH, next);
        if column < end.column {
            let _ = write!(way, "H{x:.1}");
        }
    }
    way
}

fn box_of(html: &mut Html, number: usize, node: &Node) {
    let (x, y) = node.place;
    let class = if node.is_output { "node output" } else { "node input" };
    html.element("a").class(class).link(&node.to).attribute("id", id("node-", number)).inside(|html| {
        let rect = html.element("rect").number("x", x).number("y", y).number("width", WIDTH).number("height", HEIGHT);
        rect.number("rx", 6.0).alone();
        html.element("text").class("name").number("x", x + 10.0).number("y", y + 18.0).text(cut(node.name, NAME));
        let about = format!("{} {}", node.kind, node.version);
        html.element("text")
            .class("about")
            .number("x", x + 10.0)
            .number("y", y + 34.0)
            .text(cut(about.trim_end(), ABOUT));
    });
}

/// Cuts a text to a number of letters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(column: usize, from: &[usize]) -> Node<'static> {
        let (to, from) = (Address::here("pin-", 0), from.to_vec());
        Node {
            name: "n",
            kind: "k",
            version: String::new(),
            is_output: column > 0,
            from,
            column,
            to,
            place: (0.0, 0.0),
        }
    }

    #[test]
    fn edges_pass_between_the_nodes_of_the_columns_on_their_way() {
        let mut nodes = [node(0, &[]), node(0, &[]), node(1, &[1]), node(2, &[0, 2]), node(3, &[0, 3])];
        let lanes = arrange(&mut nodes);
        assert_eq!(lanes.keys().copied().collect::<Vec<_>>(), [(0, 3, 1), (0, 4, 1), (0, 4, 2)]);
        for ((.., column), y) in &lanes {
            for node in nodes.iter().filter(|node| node.column == *column) {
                assert!(*y < node.place.1 || *y > node.place.1 + HEIGHT, "{y} {:?}", node.place);
            }
        }
        assert_eq!(path(&nodes, &lanes, (0, 4)).matches('H').count(), 2);
        assert!(arrange(&mut [node(0, &[])]).is_empty());
    }
}
