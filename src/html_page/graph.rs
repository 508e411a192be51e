//! The graph of inputs and outputs: inputs at the left, each output right of everything that it is made from.

use std::collections::BTreeMap;

use super::Told;
use super::facts::Facts;
use super::html::{Address, Html, id};
use super::table::Table;
use crate::lock::Lock;
use crate::realize::own_version;

const TABLE: Table = Table { caption: "Outputs, and what each is made from", columns: &["output", "made from"] };

/// The size of a node, and the room between nodes.
const WIDTH: f64 = 196.0;
const HEIGHT: f64 = 44.0;
const BETWEEN: (f64, f64) = (64.0, 12.0);
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
    /// Where it stands: its left upper corner.
    place: (f64, f64),
}

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let locked = match &facts.locked {
        Ok(locked) => locked,
        Err(why) => return Told::missing(why),
    };
    let nodes = nodes(locked.lock);
    if nodes.is_empty() {
        return Told::missing("The lock has neither inputs nor outputs.");
    }
    html.element("div").class("scroll").attribute("tabindex", "0").inside(|html| draw(html, &nodes));
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

/// Returns all nodes with their places.
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
    arrange(&mut nodes);
    nodes
}

/// Gives each node its place: columns from left to right, and within a column near the things that it is made from.
fn arrange(nodes: &mut [Node]) {
    let columns = nodes.iter().map(|node| node.column + 1).max().unwrap_or(0);
    let first_use = |nodes: &[Node], place: usize| nodes.iter().position(|node| node.from.contains(&place));
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); columns];
    for (place, node) in nodes.iter().enumerate() {
        order[node.column].push(place);
    }
    // Inputs that nothing is made from come last.
    order[0].sort_by_key(|place| first_use(nodes, *place).unwrap_or(usize::MAX));
    let tallest = order.iter().map(Vec::len).max().unwrap_or(0) as f64;
    for (column, places) in order.iter_mut().enumerate() {
        let middle = |place: &usize| -> f64 {
            let from = &nodes[*place].from;
            from.iter().map(|from| nodes[*from].place.1).sum::<f64>() / from.len().max(1) as f64
        };
        if column > 0 {
            places.sort_by(|one, other| middle(one).total_cmp(&middle(other)).then(one.cmp(other)));
        }
        let above = (tallest - places.len() as f64) / 2.0;
        for (row, place) in places.iter().enumerate() {
            let x = column as f64 * (WIDTH + BETWEEN.0);
            nodes[*place].place = (x, (above + row as f64) * (HEIGHT + BETWEEN.1));
        }
    }
}

fn draw(html: &mut Html, nodes: &[Node]) {
    let right = nodes.iter().map(|node| node.place.0 + WIDTH).fold(0.0, f64::max);
    let low = nodes.iter().map(|node| node.place.1 + HEIGHT).fold(0.0, f64::max);
    let (width, height) = (right + 4.0, low + 4.0);
    let svg = html.element("svg").class("graph").number("width", width).number("height", height);
    let svg = svg.attribute("viewBox", format!("-2 -2 {width:.1} {height:.1}"));
    svg.attribute("role", "group").attribute("aria-label", "From inputs to outputs").inside(|html| {
        for (to, node) in nodes.iter().enumerate() {
            for from in &node.from {
                edge(html, (*from, nodes[*from].place), (to, node.place));
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            box_of(html, number, node);
        }
    });
}

fn edge(html: &mut Html, (from, start): (usize, (f64, f64)), (to, end): (usize, (f64, f64))) {
    let (x1, y1) = (start.0 + WIDTH, start.1 + HEIGHT / 2.0);
    let (x2, y2) = (end.0, end.1 + HEIGHT / 2.0);
    let bend = BETWEEN.0 * 0.6;
    let (near, far) = (x1 + bend, x2 - bend);
    let path = format!("M{x1:.1} {y1:.1}C{near:.1} {y1:.1} {far:.1} {y2:.1} {x2:.1} {y2:.1}");
    let element = html.element("path").class("edge").attribute("d", path);
    element.attribute("data-from", from).attribute("data-to", to).alone();
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
