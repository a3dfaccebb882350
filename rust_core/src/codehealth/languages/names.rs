//! What the parts of a tree are called: functions, their parameters, what they call.

use tree_sitter::Node;

const TOO_LONG: usize = 100;

/// Fields that lead from a declaration or an expression to the name at its end.
const FIELDS_TO_NAME: [&str; 6] = ["declarator", "name", "property", "field", "function", "type"];

/// Nodes whose name is their last child, for lack of a field.
const LAST_CHILD_NAMES: [&str; 4] =
    ["reference_declarator", "parenthesized_declarator", "scoped_type_identifier", "pointer_type"];

/// Return the node of the name at the end of a declarator, type or callee: `b` of `a.b`, `f` of `*f(int)`.
pub fn name_node(mut node: Node) -> Option<Node> {
    loop {
        match node.kind() {
            "call_expression" | "method_invocation" | "parenthesized_expression" => return None,
            "operator_name" | "destructor_name" | "operator_cast" | "nested_namespace_specifier" => {
                return Some(node);
            }
            "generic_type" if node.child_by_field_name("type").is_none() => node = node.named_child(0)?,
            kind if LAST_CHILD_NAMES.contains(&kind) => node = last_named_child(node)?,
            _ => match FIELDS_TO_NAME.iter().find_map(|field| node.child_by_field_name(field)) {
                Some(inner) => node = inner,
                None => return Some(node),
            },
        }
    }
}

fn last_named_child(node: Node) -> Option<Node> {
    node.named_child(u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?)
}

/// Return the text of a name; `None` for what is no name but a long or many-lined expression.
pub fn name_text<'t>(node: Node, text: &'t str) -> Option<&'t str> {
    let name = text[node.byte_range()].trim_matches(['"', '\'', '`']);
    (!name.is_empty() && name.len() <= TOO_LONG && !name.contains(['\n', '\r'])).then_some(name)
}

/// Return the declarator that holds a C function's parameters; `None` outside of C and C++.
pub fn function_declarator(function: Node) -> Option<Node> {
    let mut found = None;
    let mut next = function.child_by_field_name("declarator");
    while let Some(node) = next {
        if node.kind() == "function_declarator" || node.kind() == "operator_cast" {
            found = Some(node);
        }
        next = match node.child_by_field_name("declarator") {
            None if LAST_CHILD_NAMES.contains(&node.kind()) => last_named_child(node),
            inner => inner,
        };
    }
    found
}

/// Return how many parameters a function declares; a receiver, `(void)` and a C `...` are none.
pub fn count_parameters(function: Node, text: &str) -> u32 {
    if function.child_by_field_name("parameter").is_some() {
        return 1;
    }
    let holder = function_declarator(function).unwrap_or(function);
    let Some(list) = holder.child_by_field_name("parameters") else { return 0 };
    let mut cursor = list.walk();
    list.named_children(&mut cursor).map(|node| names_declared(node, text)).sum()
}

fn names_declared(parameter: Node, text: &str) -> u32 {
    match parameter.kind() {
        _ if parameter.is_extra() => 0,
        "attribute_item" | "receiver_parameter" | "variadic_parameter" => 0,
        // Go: `a, b int` declares two.
        "parameter_declaration" if &text[parameter.byte_range()] != "void" => {
            let mut cursor = parameter.walk();
            let names = parameter.children_by_field_name("name", &mut cursor).count() as u32;
            names.max(1)
        }
        "parameter_declaration" => 0,
        // TypeScript: `this: Type`.
        "required_parameter" => {
            let pattern = parameter.child_by_field_name("pattern");
            u32::from(pattern.is_none_or(|pattern| pattern.kind() != "this"))
        }
        _ => 1,
    }
}

/// Return whether `async` stands before a function.
pub fn is_async(function: Node) -> bool {
    let mut cursor = function.walk();
    function.children(&mut cursor).take_while(|node| node.kind() != "parameters").any(|node| {
        let mut inner = node.walk();
        node.kind() == "async"
            || (node.kind() == "function_modifiers"
                && node.children(&mut inner).any(|part| part.kind() == "async"))
    })
}

/// Return what a Go method's receiver is called and its type.
pub fn receiver<'t>(function: Node, text: &'t str) -> (Option<&'t str>, Option<&'t str>) {
    let declared = function.child_by_field_name("receiver").and_then(|list| list.named_child(0));
    let Some(declared) = declared else { return (None, None) };
    let name = declared.child_by_field_name("name").map(|node| &text[node.byte_range()]);
    let kind = declared.child_by_field_name("type").and_then(name_node);
    (name, kind.and_then(|node| name_text(node, text)))
}

/// What a call calls.
pub struct Callee<'t> {
    pub name: &'t str,
    /// What stands before the name: `a` of `a.b()`.
    pub of: Option<&'t str>,
}

/// Return what is called, given the node that says it; `None` for what has no name, like `f()()`.
pub fn callee<'t>(call: Node, field: &str, text: &'t str) -> Option<Callee<'t>> {
    let called = call.child_by_field_name(field)?;
    let name = name_text(name_node(called)?, text)?;
    let holder = if called.named_child_count() == 0 { call } else { called };
    let of = ["object", "value", "operand", "path", "argument", "scope"];
    let of = of.iter().find_map(|field| holder.child_by_field_name(field));
    Some(Callee { name, of: of.map(|node| &text[node.byte_range()]) })
}
